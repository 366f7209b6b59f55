package mockidp_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/echo-identity/identity/mockidp"
)

func TestDeviceCode(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_767_225_600, 0)
	idp := mockidp.New(mockidp.WithClock(func() time.Time { return now }), mockidp.WithPollInterval(time.Second))
	c := idp.Client()
	ask := func() (userCode string, poll url.Values) {
		t.Helper()
		body := ok(t, send(t, c, contosoBase+"/oauth2/v2.0/devicecode", form("client_id", mockidp.NativeClient, "scope", "openid offline_access "+apiScope)))
		want(t, body, map[string]any{"expires_in": 900, "interval": 1, "verification_uri": login + "devicelogin"})
		if !strings.Contains(body["message"].(string), body["user_code"].(string)) {
			t.Errorf("message: got=%v", body["message"])
		}
		absent(t, body, "verification_uri_complete")
		return body["user_code"].(string), form("grant_type", "device_code", "client_id", mockidp.NativeClient, "device_code", body["device_code"].(string), "client_info", "1")
	}
	userCode, poll := ask()
	pending := refusal{400, "authorization_pending", 70016}
	pending.check(t, send(t, c, contosoToken, poll))
	refusal{400, "bad_verification_code", 70018}.check(t, send(t, c, contosoToken, but(poll, "device_code", "x")))
	refusal{400, "bad_verification_code", 70018}.check(t, send(t, c, contosoToken, but(poll, "device_code", "user "+userCode)))
	refusal{400, "bad_verification_code", 70018}.check(t, send(t, c, contosoToken, but(poll, "client_id", mockidp.Client)))
	refusal{400, "invalid_request", 900144}.check(t, send(t, c, contosoToken, but(poll, "device_code", "")))

	p := newPerson(t, idp).open(login + "devicelogin?otc=" + userCode)
	p.sees(200, `value="`+userCode+`"`).post("otc", "WRONG").sees(200, "didn't work")
	p.post("otc", " "+strings.ToLower(userCode[:4])+"-"+userCode[4:]).sees(200, "Orders CLI", jo)
	p.post("loginfmt", jo).sees(200, userCode, jo, "Orders CLI")
	pending.check(t, send(t, c, contosoToken, poll))
	p.post("decision", "approve").sees(200, "signed in")
	body := ok(t, send(t, c, contosoToken, but(poll, "grant_type", "urn:ietf:params:oauth:grant-type:device_code")))
	want(t, claimsOf(t, body["access_token"].(string)), map[string]any{"oid": mockidp.User, "azp": mockidp.NativeClient, "azpacr": "0"})
	if body["refresh_token"] == nil || body["id_token"] == nil || body["client_info"] == nil {
		t.Errorf("got=%v", body)
	}
	refusal{400, "bad_verification_code", 70018}.check(t, send(t, c, contosoToken, poll))
	ok(t, send(t, c, contosoToken, form("grant_type", "refresh_token", "client_id", mockidp.NativeClient, "refresh_token", body["refresh_token"].(string))))

	for _, last := range []string{"decline", "cancel"} {
		userCode, poll = ask()
		p.open(login+"devicelogin").post("otc", userCode).sees(200, jo)
		if last == "cancel" {
			p.post("cancel", "1").sees(200, "Cancelled")
		} else {
			p.post("loginfmt", jo).post("decision", "decline").sees(200, "Cancelled")
		}
		refusal{400, "authorization_declined", 65004}.check(t, send(t, c, contosoToken, poll))
	}
	_, poll = ask()
	v1 := ok(t, send(t, c, contosoBase+"/oauth2/devicecode", form("client_id", mockidp.NativeClient, "resource", "api://"+mockidp.API)))
	pollV1 := form("grant_type", "device_code", "client_id", mockidp.NativeClient, "code", v1["device_code"].(string))
	pending.check(t, send(t, c, contosoBase+"/oauth2/token", pollV1))
	now = now.Add(15 * time.Minute)
	refusal{400, "code_expired", 70020}.check(t, send(t, c, contosoBase+"/oauth2/token", pollV1))
	refusal{400, "expired_token", 70020}.check(t, send(t, c, contosoToken, poll))

	for name, row := range map[string]struct {
		with []string
		want refusal
	}{
		"no client":        {[]string{"client_id", ""}, refusal{400, "invalid_request", 900144}},
		"unknown client":   {[]string{"client_id", mockidp.User}, refusal{400, "unauthorized_client", 700016}},
		"no scope":         {[]string{"scope", ""}, refusal{400, "invalid_request", 900144}},
		"unknown resource": {[]string{"scope", "api://nobody/x"}, refusal{400, "invalid_resource", 500011}},
	} {
		t.Log(name)
		row.want.check(t, send(t, c, contosoBase+"/oauth2/v2.0/devicecode", but(form("client_id", mockidp.NativeClient, "scope", apiScope), row.with...)))
	}
	refusal{400, "invalid_request", 900561}.check(t, visit(t, c, contosoBase+"/oauth2/v2.0/devicecode"))
	refusal{400, "invalid_request", 90002}.check(t, send(t, c, login+"nobody.example/oauth2/v2.0/devicecode", nil))

	// Consent is asked for on the way.
	body = ok(t, send(t, c, login+"common/oauth2/v2.0/devicecode", form("client_id", mockidp.NativeClient, "scope", "api://"+mockidp.API+"/Jobs.Run")))
	p.open(login+"devicelogin").post("otc", body["user_code"].(string)).post("loginfmt", jo).sees(200, "Jobs.Run").post("consent", "accept").sees(200, body["user_code"].(string))
	p.post("decision", "approve").sees(200, "signed in")
	ok(t, send(t, c, login+"common/oauth2/v2.0/token", but(poll, "device_code", body["device_code"].(string))))
}
