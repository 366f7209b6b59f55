package mockidp

import (
	"slices"
	"strconv"
	"strings"
)

var requestCalls = []adminEndpoint{
	{"GET", "requests", "the requests that were recorded", []string{"endpoint", "tenant", "policy", "limit"}, (*adminCall).getRequests},
	{"DELETE", "requests", "forgets them", nil, (*adminCall).deleteRequests},
}

// getRequests gives the latest requests that match, oldest first. Count is how many match among all that are remembered.
func (c *adminCall) getRequests() (any, error) {
	var p problems
	limit := 100
	if text := c.query("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			p.add("query.limit", "%q is not a number", text)
		}
		limit = n
	}
	var endpoint endpointName
	if text := c.query("endpoint"); text != "" {
		if err := endpoint.UnmarshalText([]byte(text)); err != nil {
			p.add("query.endpoint", "%v", err)
		}
	}
	if err := badRequest(p); err != nil {
		return nil, err
	}
	all := slices.DeleteFunc(c.srv.Requests(), func(r Request) bool {
		return Endpoint(endpoint) != AnyEndpoint && r.Endpoint != Endpoint(endpoint) || c.query("tenant") != "" && !strings.EqualFold(r.Tenant, c.query("tenant")) ||
			c.query("policy") != "" && !strings.EqualFold(r.Policy, c.query("policy"))
	})
	list := []object{}
	for _, r := range all[max(0, len(all)-limit):] {
		list = append(list, r.described())
	}
	return object{{"count", len(all)}, {"requests", list}}, nil
}

func (r Request) described() object {
	o := object{
		{"time", r.Time.UTC()}, {"method", r.Method}, {"scheme", r.Scheme}, {"host", r.Host}, {"path", r.Path}, {"query", r.RawQuery},
		{"endpoint", endpointWords[r.Endpoint]}, {"tenant", r.Tenant},
	}
	if r.Policy != "" {
		o = append(o, member{"policy", r.Policy})
	}
	if r.AppID != "" {
		o = append(o, member{"appID", r.AppID})
	}
	return append(o, member{"header", r.Header})
}

func (c *adminCall) deleteRequests() (any, error) {
	c.srv.ResetCounts()
	return nil, nil
}
