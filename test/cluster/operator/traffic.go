package main

import (
	"io"
	"net/http"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"k8s.io/client-go/rest"
)

// Traffic is what went over a client's connections, and a way to disturb its watches.
type traffic struct {
	mutex sync.Mutex
	told  map[string]bool
	last  *cuttable
	// The next watch that goes on is sent on from a version that no server has kept.
	isStale atomic.Bool
}

// Watched is a config whose requests are told.
func watched(config *rest.Config) (*rest.Config, *traffic) {
	seen := &traffic{told: map[string]bool{}}
	out := rest.CopyConfig(config)
	out.Wrap(func(inner http.RoundTripper) http.RoundTripper {
		return trip(func(request *http.Request) (*http.Response, error) {
			return seen.send(inner, request)
		})
	})
	return out, seen
}

type trip func(*http.Request) (*http.Response, error)

func (send trip) RoundTrip(request *http.Request) (*http.Response, error) { return send(request) }

func (seen *traffic) send(inner http.RoundTripper, request *http.Request) (*http.Response, error) {
	query := request.URL.Query()
	isWatch := query.Get("watch") == "true"
	isInitial := query.Get("sendInitialEvents") == "true"
	if isWatch && !isInitial && seen.isStale.CompareAndSwap(true, false) {
		query.Set("resourceVersion", "1")
		request = request.Clone(request.Context())
		request.URL.RawQuery = query.Encode()
	}
	response, err := inner.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	seen.told[described(request, response)] = true
	if isWatch {
		seen.last = &cuttable{ReadCloser: response.Body}
		response.Body = seen.last
	}
	return response, nil
}

func described(request *http.Request, response *http.Response) string {
	query := request.URL.Query()
	words := []string{request.Method}
	if query.Get("watch") == "true" {
		words[0] = "WATCH"
	}
	path := strings.Split(request.URL.Path, "/")
	words = append(words, path[len(path)-1])
	for _, name := range []string{"sendInitialEvents", "resourceVersionMatch", "allowWatchBookmarks"} {
		if value := query.Get(name); value != "" {
			words = append(words, name+"="+value)
		}
	}
	switch version := query.Get("resourceVersion"); version {
	case "":
	case "0", "1":
		words = append(words, "resourceVersion="+version)
	default:
		words = append(words, "resourceVersion=N")
	}
	words = append(words, response.Status, response.Header.Get("Content-Type"))
	return strings.Join(words, " ")
}

// All requests, each kind once.
func (seen *traffic) all() []string {
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	out := []string{}
	for line := range seen.told {
		out = append(out, line)
	}
	sort.Strings(out)
	return out
}

// Cut ends the last watch, as a connection that breaks between two events does.
func (seen *traffic) cut() {
	seen.mutex.Lock()
	defer seen.mutex.Unlock()
	if seen.last != nil {
		seen.last.cut()
	}
}

type cuttable struct {
	io.ReadCloser
	isCut atomic.Bool
}

func (body *cuttable) Read(into []byte) (int, error) {
	n, err := body.ReadCloser.Read(into)
	if err != nil && body.isCut.Load() {
		err = io.EOF
	}
	return n, err
}

func (body *cuttable) cut() {
	body.isCut.Store(true)
	_ = body.ReadCloser.Close()
}
