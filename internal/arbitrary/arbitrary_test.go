package arbitrary_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/controlbackbone/backbone/internal/arbitrary"
)

type shape interface{ sides() int }

type square struct{ Width int }

func (square) sides() int { return 4 }

type drawing struct {
	Title  string
	Shapes []shape
	Inner  *drawing
}

func source(data ...byte) *arbitrary.Source {
	return &arbitrary.Source{
		Data: data, Words: []string{"word"},
		Implementations: map[reflect.Type][]any{reflect.TypeFor[shape](): {square{}, &square{}, (*square)(nil)}},
	}
}

func TestEveryFieldMayBeSet(t *testing.T) {
	got := arbitrary.Value[drawing](source(0, 2, 0, 7, 1, 9, 1, 3, 'a', 'b', 'c', 0))
	require.Equal(t, drawing{Title: "word", Shapes: []shape{square{7}, &square{9}}, Inner: &drawing{Title: "abc"}}, got)
}

func TestWithoutDataNothingIsSet(t *testing.T) {
	require.Zero(t, arbitrary.Value[drawing](source()))
}
