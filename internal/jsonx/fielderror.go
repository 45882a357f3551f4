package jsonx

// Reason says what is wrong with a field. Its text is English, for logs.
type Reason string

// The reasons of a FieldError. Doors use them for their own refusals too.
const (
	Missing    Reason = "missing"
	NotText    Reason = "not a string"
	NotInteger Reason = "not an integer"
	NotMoney   Reason = "not an amount with at most two decimals"
	OutOfRange Reason = "out of range"
	NotObject  Reason = "not an object"
	NotList    Reason = "not a list of the right form"
	Different  Reason = "given more than once with different values"
	Unreadable Reason = "not clean UTF-8"
	Invalid    Reason = "invalid"
)

// chinese holds the wire text of each reason, to stand after the field's name.
var chinese = map[Reason]string{
	Missing:    "不能为空",
	NotText:    "必须是字符串",
	NotInteger: "必须是整数",
	NotMoney:   "必须是金额, 最多两位小数",
	OutOfRange: "超出允许范围",
	NotObject:  "必须是对象",
	NotList:    "必须是列表",
	Different:  "重复且取值不一致",
	Unreadable: "编码不正确",
	Invalid:    "不合法",
}

// FieldError names one field and what is wrong with it, never its value. Two
// spellings that contradict each other stand as "a/b" in Name.
type FieldError struct {
	Name   string
	Reason Reason
}

func (e *FieldError) Error() string {
	return "field " + e.Name + ": " + string(e.Reason)
}

// Chinese is the message for the wire: "score 必须是整数".
func (e *FieldError) Chinese() string {
	text, ok := chinese[e.Reason]
	if !ok {
		text = chinese[Invalid]
	}
	return e.Name + " " + text
}

func (m member) refuse(reason Reason) error {
	return &FieldError{Name: safeName(m.name), Reason: reason}
}

func missing(names []string) error {
	name := "?"
	if len(names) > 0 {
		name = safeName(names[0])
	}
	return &FieldError{Name: name, Reason: Missing}
}

func differ(a, b string) error {
	name := safeName(a)
	if a != b {
		name += "/" + safeName(b)
	}
	return &FieldError{Name: name, Reason: Different}
}
