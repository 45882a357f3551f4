package sqldb

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// maxCached bounds the texts remembered by a cache. The product has some two
// hundred statements; the bound only keeps a query that is built anew for every
// call (which is a mistake, but a harmless one) from filling the memory.
const maxCached = 4096

// rebound remembers the PostgreSQL text of every statement seen.
var rebound textCache

type textCache struct {
	texts sync.Map // the text with ? -> the text with $n
	count atomic.Int64
}

func (c *textCache) get(query string) string {
	if text, ok := c.texts.Load(query); ok {
		return text.(string)
	}
	text := Rebind(query)
	if c.count.Load() < maxCached {
		if _, had := c.texts.LoadOrStore(query, text); !had {
			c.count.Add(1)
		}
	}
	return text
}

// Rebind rewrites every ? that stands for a parameter to $1, $2, ... It leaves
// alone what is quoted ('..', "..") or in a comment. SQLite must not be given
// the result: it takes $n for a name and looks each up among all the others.
func Rebind(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	b.Grow(len(query) + 32)
	n := 0
	for i := 0; i < len(query); {
		end := skip(query, i)
		if end > i {
			b.WriteString(query[i:end])
			i = end
			continue
		}
		if query[i] == '?' {
			n++
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(n))
		} else {
			b.WriteByte(query[i])
		}
		i++
	}
	return b.String()
}

// skip returns where the quoted text or comment that begins at i ends, or i
// when none begins there. A doubled quote ends one string and begins the next,
// which comes to the same.
func skip(query string, i int) int {
	rest := query[i:]
	var closing string
	switch {
	case rest[0] == '\'' || rest[0] == '"':
		closing = rest[:1]
		rest = rest[1:]
		i++
	case strings.HasPrefix(rest, "--"):
		closing = "\n"
	case strings.HasPrefix(rest, "/*"):
		closing = "*/"
	default:
		return i
	}
	at := strings.Index(rest, closing)
	if at < 0 {
		return len(query)
	}
	return i + at + len(closing)
}
