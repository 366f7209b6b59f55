// Adds a button that copies the token. Without script, one selects the text.
const text = document.querySelector("[data-copy]");
if (text && text.value && navigator.clipboard) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  const said = document.createElement("span");
  said.className = "said";
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.value);
      said.textContent = "Copied.";
    } catch {
      text.select();
      said.textContent = "Not allowed here: the text is selected, copy it with the keyboard.";
    }
  });
  text.form.querySelector(".buttons").append(button, said);
}
