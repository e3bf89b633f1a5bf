package eventing_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/controlbackbone/backbone/eventing"
)

// An operator receives what a sensor sends, once for each event.
func ExampleResponder() {
	responder, err := eventing.NewResponder(eventing.ResponderOptions{
		Authentication: eventing.Bearer{Tokens: eventing.FixedKeys("from a Secret")},
		Handle: func(_ context.Context, event eventing.Event) error {
			fmt.Println("attempt", event.Attempt, "of", event.ID)
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(responder) // in an operator: mgr.Add(responder), with a Listener
	defer server.Close()

	for _, token := range []string{"a guess", "from a Secret", "from a Secret"} {
		whole := `{"context": {"id": "push-1", "specversion": "1.0"}, "data": "e30="}`
		request, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader(whole))
		if err != nil {
			fmt.Println(err)
			return
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(response.Status, " ", string(text))
	}
	// Output:
	// 401 Unauthorized {"title":"Unauthorized","status":401,"detail":"the credentials are missing or wrong","result":"unauthenticated"}
	// attempt 1 of push-1
	// 200 OK {"result":"handled","id":"push-1"}
	// 200 OK {"detail":"the event was handled before","result":"duplicate","id":"push-1"}
}
