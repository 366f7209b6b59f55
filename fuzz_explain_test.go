package identity_test

import (
	"context"
	"testing"
)

// FuzzExplain: no text makes Explain panic; its verdict is Verify's, and its report can be shown to anybody who may see reports.
func FuzzExplain(f *testing.F) {
	s := newStand(f)
	for way := range uint8(waysIn) {
		f.Add(way, uint16(200), `{"alg":"RS256","kid":"{kid}"}`, `{"iss":"https://login.microsoftonline.com/`+tenantA+`/v2.0","tid":"`+tenantA+`","exp":{later}}`, "x\x1b[31m\u202e")
	}
	f.Add(uint8(takes), uint16(0), "Bearer "+s.good[0], "", "")
	f.Add(uint8(issuerSigns), uint16(0), `{"alg":"RS256","kid":"{kid}"}`, `{"a":{"b":1,"b":2},"iss":["\u001b"],"scp":"\u202e"}`, "")
	f.Fuzz(func(t *testing.T, way uint8, at uint16, header, payload, extra string) {
		raw := s.token(way, at, header, payload, extra)
		_, err := s.v.Verify(context.Background(), raw)
		report := s.v.Explain(context.Background(), raw)
		sameVerdict(t, report, err)
		printableReport(t, report)
		if report.Within != nil && report.Within.Within != nil {
			t.Fatalf("got=%+v, want no third report", report.Within)
		}
	})
}
