package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/controlbackbone/backbone/eventing"
)

// pager stands for the service that calls people. It drops what it was told before, as such services do by a key.
type pager struct {
	// url is where it is reached.
	url string

	mu    sync.Mutex
	known map[string]bool
	pages []string
}

// page is what a notification is sent as.
type page struct {
	Key     string `json:"key"`
	Summary string `json:"summary"`
}

// page sends a notification.
func (p *pager) page(ctx context.Context, notification eventing.BurnNotification) error {
	body, err := json.Marshal(page{Key: notification.ID, Summary: fmt.Sprintf("%s %s", notification.Application.Name, notification.What)})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("page: %s", response.Status)
	}
	return nil
}

// ServeHTTP takes a page.
func (p *pager) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var received page
	if err := json.NewDecoder(http.MaxBytesReader(w, request.Body, 1<<10)).Decode(&received); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known[received.Key] {
		p.pages = append(p.pages, received.Summary)
	}
	if p.known == nil {
		p.known = map[string]bool{}
	}
	p.known[received.Key] = true
	w.WriteHeader(http.StatusNoContent)
}

// received are the pages so far.
func (p *pager) received() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pages)
}
