package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/echo-identity/identity"
	"github.com/labstack/echo/v4"
)

// table sends the requests and prints a line for each.
func table(url string, rows []request, reasons *reasons) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REQUEST\tEXPECTED\tGOT")
	wrong := 0
	for _, row := range rows {
		got, err := send(url, row, reasons)
		if err != nil {
			return err
		}
		if got == row.want {
			got = "same" // keeps the table within 80 columns
		} else {
			got += " WRONG"
			wrong++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", row.what, row.want, got)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("\n%d requests, %d wrong answers\n", len(rows), wrong)
	if wrong > 0 {
		return errors.New("not every answer is the expected one")
	}
	return nil
}

// send returns the status of the answer to a request, and the reason of a refusal. The reason is not on the wire: the table
// has it from the error that the middleware returned.
func send(url string, row request, reasons *reasons) (string, error) {
	req, err := http.NewRequest(row.method, url+row.path, nil)
	if err != nil {
		return "", err
	}
	if row.authorization != "" {
		req.Header.Set("Authorization", row.authorization)
	}
	reasons.clear()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	return strings.TrimSpace(strconv.Itoa(res.StatusCode) + " " + reasons.last()), nil
}

// reasons keeps why the last request was refused.
type reasons struct {
	mu     sync.Mutex
	reason identity.Reason
}

// recordReasons looks at every error that a request ends with.
func recordReasons(api *echo.Echo) *reasons {
	r := new(reasons)
	api.HTTPErrorHandler = func(err error, c echo.Context) {
		r.record(err)
		api.DefaultHTTPErrorHandler(err, c)
	}
	return r
}

func (r *reasons) record(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if refusal, ok := errors.AsType[*identity.Error](err); ok {
		r.reason = refusal.Reason
	}
}

func (r *reasons) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reason = ""
}

func (r *reasons) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.reason)
}
