package identity

// ExactTTL takes the spread off the lifetime of the key sets that v fetches from now on, so that a test knows when 80 % of it
// are over.
func ExactTTL(v *Verifier) {
	v.keys.jitter = func() float64 { return 1 }
}

// ReasonRow is what REASONS.md says of a reason.
type ReasonRow struct {
	Reason                              Reason
	Status                              int
	Code, Answer, Meaning, Advice, Rule string
	Sentinel                            error
}

// ReasonRows are those of all reasons.
func ReasonRows() (rows []ReasonRow) {
	for _, s := range sentinels {
		w := reasonWords[s.reason]
		rows = append(rows, ReasonRow{s.reason, s.status, s.code, s.text, w.meaning, w.advice, w.rule, s})
	}
	return rows
}

// ReasonsWithWords counts what is explained, of the list or not.
func ReasonsWithWords() int { return len(reasonWords) }
