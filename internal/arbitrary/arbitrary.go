// Package arbitrary turns the bytes of a fuzzer into values of any type, for tests of builders: every field of a struct may
// be set, and every interface be any of its implementations.
package arbitrary

import "reflect"

// Source is where values come from.
type Source struct {
	// Data that is used up from value to value. What is filled without any is left alone.
	Data []byte
	// Words are texts that matter to what is built. Every second text is one of them. At least one.
	Words []string
	// Implementations of the interfaces that values hold, pointers and nils of them included.
	Implementations map[reflect.Type][]any
}

// deepest keeps values of recursive types finite.
const deepest = 12

// Fill sets what the pointer points to, as far as there is data. Fields that are not exported stay as they are.
func (s *Source) Fill(pointer any) { s.fill(reflect.ValueOf(pointer).Elem(), 0) }

// Value returns a value of the type.
func Value[T any](s *Source) T {
	var value T
	s.Fill(&value)
	return value
}

func (s *Source) next() byte {
	if len(s.Data) == 0 {
		return 0
	}
	next := s.Data[0]
	s.Data = s.Data[1:]
	return next
}

func (s *Source) text() string {
	n := int(s.next())
	if n%2 == 0 {
		return s.Words[n/2%len(s.Words)]
	}
	n = min(n%16, len(s.Data))
	text := string(s.Data[:n])
	s.Data = s.Data[n:]
	return text
}

func (s *Source) fill(v reflect.Value, depth int) {
	if len(s.Data) == 0 || depth > deepest {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s.text())
	case reflect.Bool:
		v.SetBool(s.next()%2 == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(int8(s.next())))
	case reflect.Float64:
		v.SetFloat(float64(s.next()) / 3)
	case reflect.Pointer:
		if s.next()%2 == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			s.fill(v.Elem(), depth+1)
		}
	case reflect.Slice:
		for range s.next() % 3 {
			item := reflect.New(v.Type().Elem()).Elem()
			s.fill(item, depth+1)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range s.next() % 3 {
			item := reflect.New(v.Type().Elem()).Elem()
			s.fill(item, depth+1)
			v.SetMapIndex(reflect.ValueOf(s.text()).Convert(v.Type().Key()), item)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				s.fill(v.Field(i), depth+1)
			}
		}
	case reflect.Interface:
		s.implement(v, depth)
	}
}

func (s *Source) implement(v reflect.Value, depth int) {
	choices := s.Implementations[v.Type()]
	choice := reflect.ValueOf(choices[int(s.next())%len(choices)])
	value := reflect.New(choice.Type()).Elem()
	switch {
	case choice.Kind() != reflect.Pointer:
		s.fill(value, depth+1)
	case !choice.IsNil():
		value.Set(reflect.New(choice.Type().Elem()))
		s.fill(value.Elem(), depth+1)
	}
	v.Set(value)
}
