package mockidp

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Cloud is the login origin of a Microsoft cloud. The zero value is [Public]. Besides the constants it may be the login origin
// of another known cloud ("https://login.microsoftonline.de"), or any origin ("https://127.0.0.1:8443") for a private deployment,
// whose v1 issuer is the one of the public cloud.
type Cloud string

// The clouds in operation.
const (
	Public       Cloud = ""
	USGovernment Cloud = "https://login.microsoftonline.us"
	China        Cloud = "https://login.partner.microsoftonline.cn"
)

// cloudFacts is what differs from cloud to cloud.
type cloudFacts struct {
	cloud       Cloud
	origin      string   // of v2 issuers and endpoints
	hosts       []string // every alias, the host of origin included
	sts         string   // origin of v1 issuers
	instance    string   // cloud_instance_name
	graph       string   // msgraph_host
	legacyGraph string   // cloud_graph_host_name
	rbac        string
	region      string // tenant_region_scope of its tenants
	domain      string // what a directory's initial domain ends in
	b2c         string // what B2C hosts end in
	mtls        string // host of the mTLS token endpoint; only the public cloud has one
}

// clouds are the alias sets that Microsoft's client libraries trust, and its pre-production.
var clouds = []*cloudFacts{
	publicCloud,
	{
		cloud: USGovernment, origin: "https://login.microsoftonline.us",
		hosts: []string{"login.microsoftonline.us", "login.usgovcloudapi.net"},
		sts:   "https://sts.windows.net", instance: "microsoftonline.us", graph: "graph.microsoft.us", legacyGraph: "graph.windows.net",
		rbac: "https://pasff.usgovcloudapi.net", region: "USG", domain: ".onmicrosoft.us", b2c: ".b2clogin.us",
	},
	{
		cloud: China, origin: "https://login.partner.microsoftonline.cn",
		hosts: []string{"login.partner.microsoftonline.cn", "login.chinacloudapi.cn", "sts.chinacloudapi.cn"},
		sts:   "https://sts.chinacloudapi.cn", instance: "partner.microsoftonline.cn", graph: "microsoftgraph.chinacloudapi.cn",
		legacyGraph: "graph.chinacloudapi.cn", rbac: "https://pas.chinacloudapi.cn", region: "AS",
		domain: ".partner.onmschina.cn", b2c: ".b2clogin.cn",
	},
	smallCloud("login.microsoftonline.de", "https://sts.microsoftonline.de", "sts.microsoftonline.de"),
	smallCloud("login-us.microsoftonline.com", "https://sts.windows.net"),
	smallCloud("login.sovcloud-identity.fr", "https://sts.windows.net"),
	smallCloud("login.sovcloud-identity.de", "https://sts.windows.net"),
	smallCloud("login.sovcloud-identity.sg", "https://sts.windows.net"),
	smallCloud("login.windows-ppe.net", "https://sts.windows-ppe.net", "sts.windows-ppe.net"),
}

var publicCloud = &cloudFacts{
	cloud: Public, origin: "https://login.microsoftonline.com",
	hosts: []string{"login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"},
	sts:   "https://sts.windows.net", instance: "microsoftonline.com", graph: "graph.microsoft.com", legacyGraph: "graph.windows.net",
	rbac: "https://pas.windows.net", region: "NA", domain: ".onmicrosoft.com", b2c: ".b2clogin.com", mtls: "mtlsauth.microsoft.com",
}

// smallCloud is a cloud of which little is known, or little is left: the public cloud's values under hosts of its own.
func smallCloud(host, sts string, more ...string) *cloudFacts {
	c := *publicCloud
	c.cloud, c.origin, c.hosts, c.sts, c.mtls = Cloud("https://"+host), "https://"+host, append([]string{host}, more...), sts, ""
	return &c
}

// facts finds the cloud, or describes a private deployment. It panics when c is not an origin.
func (c Cloud) facts() *cloudFacts {
	if c == Public {
		return publicCloud
	}
	origin := mustOrigin(string(c))
	for _, known := range clouds {
		if known.origin == origin {
			return known
		}
	}
	private := *publicCloud
	private.cloud, private.origin, private.hosts, private.mtls = Cloud(origin), origin, []string{hostOf(origin)}, ""
	return &private
}

// known tells the clouds of the table from private deployments.
func (c *cloudFacts) known() bool {
	return slices.Contains(clouds, c)
}

// cloudByHost finds the known cloud that host belongs to.
func cloudByHost(host string) *cloudFacts {
	for _, c := range clouds {
		if slices.Contains(c.hosts, host) {
			return c
		}
	}
	// Regional hosts: westus2.login.microsoft.com.
	if region, ok := strings.CutSuffix(host, ".login.microsoft.com"); ok && region != "" && !strings.Contains(region, ".") {
		return publicCloud
	}
	return nil
}

// cloudByGraph finds the known cloud whose Microsoft Graph has the host.
func cloudByGraph(host string) *cloudFacts {
	for _, c := range clouds {
		if c.graph == host {
			return c
		}
	}
	return nil
}

// mustOrigin is parseOrigin for what has to be one.
func mustOrigin(s string) string {
	origin, ok := parseOrigin(s)
	if !ok {
		panic(fmt.Sprintf("mockidp: %q is not an origin (https://host[:port])", s))
	}
	return origin
}

// parseOrigin normalises "https://host[:port]", with or without a final slash.
func parseOrigin(s string) (origin string, ok bool) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), true
}

func hostOf(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return host
}
