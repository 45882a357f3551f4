package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Phones of the members that are made for a load: no mobile number of China
// begins with 100, so nobody's own is used.
const (
	firstPhone = 10_000_000_000
	// MaxMembers is how many such phones there are.
	MaxMembers = 100_000_000
)

func phoneOf(i int) string { return strconv.Itoa(firstPhone + i) }

// ErrStale is what Register says when the members that it was given are not
// those of this platform.
var ErrStale = errors.New("bench: the members are not this platform's")

// RefusedError is the platform's refusal of a call that the load needs.
type RefusedError struct{ What, Code string }

func (e *RefusedError) Error() string { return e.What + " was refused: " + e.Code }

// Register makes members until there are n, and returns the ids by which the
// door of o knows them: those that are known already, and those that are new. A
// member that is there from an earlier load is found again by its phone, and is
// not made twice. store is where they register. Members in o is not used.
//
// It first asks for the last of the known ones: ErrStale if it is not there.
// done, if it is not nil, is told now and then how many there are.
func Register(ctx context.Context, o Options, known []string, n int, store string, done func(int)) ([]string, error) {
	s, err := newServer(o.URL, o.Timeout)
	if err != nil {
		return nil, err
	}
	for _, id := range known {
		if !plain(id) {
			return nil, ErrStale
		}
	}
	if len(known) > 0 {
		if err := stillThere(o, s, known); err != nil {
			return nil, err
		}
	}
	if len(known) >= n {
		return known[:n], nil
	}
	ids := make([]string, n)
	copy(ids, known)
	workers := make([]*registrar, o.Connections)
	for i := range workers {
		workers[i] = newRegistrar(o, s)
		defer workers[i].conn.close()
	}
	err = each(ctx, n-len(known), o.Connections, func(worker, i int) error {
		i += len(known)
		id, err := workers[worker].register(phoneOf(i), store)
		ids[i] = id
		if done != nil && (i+1)%1000 == 0 {
			done(i + 1)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// stillThere asks the platform for the last of the members.
func stillThere(o Options, s *server, known []string) error {
	o.Members, o.Scenario = known[len(known)-1:], "member-query"
	t := newTeller(o, s, newFrames(o), 0, "")
	defer t.close()
	t.prepare()
	const noSuchMember, anothersMember = "110002", "110003"
	switch failure := t.call(); failure {
	case "":
		return nil
	case noSuchMember, anothersMember:
		return ErrStale
	default:
		return &RefusedError{"a query of a member", failure}
	}
}

// registrar registers members, one after the other.
type registrar struct {
	conn *conn
	door interface {
		frames
		register(phone, store string) (target, body []byte)
		registered(answer []byte) string
	}
}

func newRegistrar(o Options, s *server) *registrar {
	r := &registrar{conn: &conn{server: s}}
	if o.Door == Envelope {
		r.door = &envelopeFrames{app: o.App}
	} else {
		r.door = newGatewayFrames(o.App, nil, "")
	}
	return r
}

func (r *registrar) register(phone, store string) (string, error) {
	target, body := r.door.register(phone, store)
	status, answer, err := r.conn.post(target, body)
	if err != nil {
		return "", fmt.Errorf("bench: register a member: %s", failureOf(err))
	}
	if failure := r.door.failure(answer); failure != "" {
		return "", &RefusedError{"the registration of a member", fmt.Sprintf("%s (HTTP %d)", failure, status)}
	}
	id := r.door.registered(answer)
	if !plain(id) {
		return "", errors.New("bench: the answer to a registration has no id, or none that can be sent again")
	}
	return id, nil
}

// plain tells whether an id can be put into JSON as it is.
func plain(id string) bool {
	const most = 128
	if id == "" || len(id) > most {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}
