package msaltest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// desktop hands the addresses that programs open in the browser to a person. Its xdg-open is this very program.
type desktop struct {
	path, url string       // values of PATH and desktopVariable
	done      <-chan error // the end of each visit
}

// desktopVariable says where this program, called as xdg-open, hands addresses to.
const desktopVariable = "MSALTEST_DESKTOP"

func newDesktop(t *testing.T, p *person) desktop {
	t.Helper()
	done := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		address, ctx := r.FormValue("address"), context.WithoutCancel(r.Context())
		go func() { // xdg-open does not wait for the page either
			_, err := p.open(ctx, address)
			done <- err
		}()
	}))
	t.Cleanup(server.Close)
	self, err := os.Executable()
	worked(t, "Executable", err)
	dir := t.TempDir()
	worked(t, "Symlink", os.Symlink(self, filepath.Join(dir, "xdg-open")))
	return desktop{dir, server.URL, done}
}

func TestMain(m *testing.M) {
	if desktop := os.Getenv(desktopVariable); filepath.Base(os.Args[0]) == "xdg-open" && desktop != "" {
		if _, err := http.PostForm(desktop, url.Values{"address": os.Args[1:2]}); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
