// Where Microsoft sends the browser back to: MSAL hands the answer to the page that asked, in this window or around this frame.
import { broadcastResponseToMainFrame } from "@azure/msal-browser/redirect-bridge";

await broadcastResponseToMainFrame();
