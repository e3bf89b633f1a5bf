package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/controlbackbone/backbone/eventing"
)

const (
	repositoryName = "acme/shop"
	number         = 7
)

// forge stands for GitHub: it has one pull request, signs webhooks, and takes the statuses of commits.
type forge struct {
	// hook is where it sends webhooks, and secret what it signs them with.
	hook, secret string
	// cloneURL of the repository, and url of its own API.
	cloneURL, url string

	mu sync.Mutex
	// open and revision are those of the pull request, updated when it changed.
	open     bool
	revision string
	updated  time.Time
	// statuses of commits, the newest last.
	statuses map[string][]commitStatus
}

// commitStatus is one in GitHub's API.
type commitStatus struct {
	State       eventing.PullRequestState `json:"state"`
	Description string                    `json:"description"`
	TargetURL   string                    `json:"target_url,omitempty"`
	Context     string                    `json:"context"`
}

// pullRequest is one in GitHub's API.
type pullRequest struct {
	State string `json:"state"`
	Head  struct {
		SHA string `json:"sha"`
	} `json:"head"`
}

// change pushes a commit, or opens or closes the pull request.
func (f *forge) change(open bool, revision string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.revision, f.updated = open, revision, time.Now().UTC()
}

// ServeHTTP is the part of GitHub's API that the recipe's actions use.
func (f *forge) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/acme/shop/pulls/"+strconv.Itoa(number), func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		found := pullRequest{State: "closed"}
		if f.open {
			found.State = "open"
		}
		found.Head.SHA = f.revision
		_ = json.NewEncoder(w).Encode(found) // A client that hangs up asks again.
	})
	mux.HandleFunc("POST /repos/acme/shop/statuses/{sha}", func(w http.ResponseWriter, request *http.Request) {
		var status commitStatus
		if err := json.NewDecoder(http.MaxBytesReader(w, request.Body, 4<<10)).Decode(&status); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.statuses == nil {
			f.statuses = map[string][]commitStatus{}
		}
		f.statuses[request.PathValue("sha")] = append(f.statuses[request.PathValue("sha")], status)
		w.WriteHeader(http.StatusCreated)
	})
	mux.ServeHTTP(w, request)
}

// status is the newest of a commit.
func (f *forge) status(revision string) commitStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	if all := f.statuses[revision]; len(all) > 0 {
		return all[len(all)-1]
	}
	return commitStatus{}
}

// count is how many statuses a commit was given.
func (f *forge) count(revision string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.statuses[revision])
}

// errRefused says that a webhook was not taken.
var errRefused = errors.New("the webhook was refused")

// send sends a webhook about the pull request as it is now, from a branch of the repository with the ID, signed with a secret.
func (f *forge) send(ctx context.Context, action string, headRepository int, secret string) error {
	f.mu.Lock()
	body, err := json.Marshal(map[string]any{
		"action": action, "number": number,
		"repository": map[string]any{"id": 1, "full_name": repositoryName, "clone_url": f.cloneURL},
		"pull_request": map[string]any{
			"updated_at": f.updated, "head": map[string]any{"sha": f.revision, "repo": map[string]any{"id": headRepository}},
		},
	})
	f.mu.Unlock()
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.hook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-GitHub-Event", "pull_request")
	request.Header.Set("X-GitHub-Delivery", hex.EncodeToString(mac.Sum(nil)[:16]))
	request.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s", errRefused, response.Status)
	}
	return nil
}

// current asks GitHub for the pull request.
func (f *forge) current(ctx context.Context, repository string, number int) (eventing.PullRequest, error) {
	var found pullRequest
	err := f.call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/pulls/%d", repository, number), nil, &found)
	return eventing.PullRequest{Repository: repository, Number: number, Revision: found.Head.SHA, Open: found.State == "open"}, err
}

// report sets the status of a commit.
func (f *forge) report(ctx context.Context, status eventing.PullRequestStatus) error {
	return f.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/statuses/%s", status.Repository, status.Revision), commitStatus{
		State: status.State, Description: status.Description, TargetURL: status.URL, Context: "preview",
	}, nil)
}

func (f *forge) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, f.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}
