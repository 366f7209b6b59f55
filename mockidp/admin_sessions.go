package mockidp

import "net/http"

var sessionCalls = []adminEndpoint{
	{"GET", "device-codes", "the user codes that wait", nil, (*adminCall).getDeviceCodes},
	{"POST", "device-codes/{code}", "approves a device code, or declines it", nil, (*adminCall).postDeviceCode},
	{"POST", "sign-out", "ends all sessions in browsers", nil, (*adminCall).postSignOut},
}

func (c *adminCall) getDeviceCodes() (any, error) {
	return object{{"userCodes", append([]string{}, c.srv.PendingDeviceCodes()...)}}, nil
}

// postDeviceCode takes {"login": "jo@contoso.example"} or {"decline": true}.
func (c *adminCall) postDeviceCode() (any, error) {
	var in struct {
		Login   string `json:"login"`
		Decline bool   `json:"decline"`
	}
	if err := c.read(&in, func(p *problems) {
		if (in.Login == "") == !in.Decline {
			p.add(".login", "either login or decline is required")
		}
	}); err != nil {
		return nil, err
	}
	code := c.args["code"]
	if c.srv.deviceByUserCode(code) == nil {
		return nil, refused(http.StatusNotFound, "{code}", "no device waits with the code %q", code)
	}
	if in.Decline {
		return nil, c.srv.DeclineDeviceCode(code)
	}
	return nil, c.srv.ApproveDeviceCode(code, in.Login)
}

func (c *adminCall) postSignOut() (any, error) {
	if err := c.read(&struct{}{}, nil); err != nil {
		return nil, err
	}
	c.srv.SignOutEverybody()
	return nil, nil
}
