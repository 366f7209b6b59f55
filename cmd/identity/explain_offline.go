package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/echo-identity/identity"
)

// offline is a transport that asks nobody: every key set of a configuration is the one in a file.
type offline struct {
	keys    []byte
	issuers map[string]string // of the discovery documents, by address
}

// offlineClient answers for the key servers with a key set from a file.
func offlineClient(path string, cfg identity.Config) (*http.Client, error) {
	keys, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("-offline: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(keys, &set); err != nil || len(set.Keys) == 0 {
		return nil, fmt.Errorf(`-offline %s: it is no key set, {"keys": […]}`, path)
	}
	o := offline{keys, make(map[string]string)}
	v, err := identity.New(cfg)
	if err != nil {
		return nil, err
	}
	for t, sets := range v.KeySets() {
		for _, set := range sets {
			o.add(set, t)
		}
	}
	return &http.Client{Transport: o}, nil
}

// add knows the issuer that the document of a key set states, and that of the v1.0 document beside a shared one.
func (o offline) add(set identity.KeySet, t identity.Tenant) {
	u, err := url.Parse(set.Metadata)
	if err != nil {
		return // not reached: it is the engine's
	}
	origin := u.Scheme + "://" + u.Host
	switch {
	case set.TenantID == "":
		v1 := "https://sts.windows.net"
		if t.Cloud == identity.China {
			v1 = "https://sts.chinacloudapi.cn"
		}
		o.issuers[origin+"/common/.well-known/openid-configuration"] = v1 + "/{tenantid}/"
		o.issuers[set.Metadata] = origin + "/{tenantid}/v2.0"
	case t.B2C != nil:
		o.issuers[set.Metadata] = origin + "/" + t.ID + "/v2.0/"
	default:
		o.issuers[set.Metadata] = origin + "/" + t.ID + "/v2.0"
	}
}

// keysPath is where the documents say that the keys are.
const keysPath = "/keys-from-a-file"

func (o offline) RoundTrip(r *http.Request) (*http.Response, error) {
	issuer, known := o.issuers[r.URL.String()]
	switch {
	case r.URL.Path == keysPath:
		return jsonResponse(r, http.StatusOK, o.keys), nil
	case known:
		keys := url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: keysPath}
		document, err := json.Marshal(map[string]string{"issuer": issuer, "jwks_uri": keys.String()})
		return jsonResponse(r, http.StatusOK, document), err
	}
	return nil, fmt.Errorf("%s: -offline asks nobody", r.URL) // not reached: these are all that the engine knows
}

func jsonResponse(r *http.Request, status int, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(body))),
	}
}
