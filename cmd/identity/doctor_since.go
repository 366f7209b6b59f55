package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// keyState is the file of -since: which keys were published when a doctor looked.
type keyState struct {
	About string                    `json:"about"`
	Sets  map[string]*rememberedSet `json:"key_sets"` // by address, and the tenant if it has the set for itself
}

const aboutKeyState = "keys that identity doctor has seen"

// rememberedSet is one key set. What happens between two looks nobody sees, so that a change has two times: when the old keys were last
// seen, and when the new ones were first.
type rememberedSet struct {
	First   time.Time         `json:"first"`             // when a doctor first looked
	Last    time.Time         `json:"last"`              // when one last did
	After   *time.Time        `json:"after,omitempty"`   // the last change was after this look
	Changed *time.Time        `json:"changed,omitempty"` // and this is the one that found it
	Keys    map[string]string `json:"keys"`              // fingerprints by key ID
}

// change is what has become of the keys of a set since the last look.
type change struct {
	// Since is when a doctor first looked. Before that nothing is known.
	Since time.Time `json:"since"`
	// After and Found bound the last change: it was after the one look and before the other. Both are missing if none was seen.
	After *time.Time `json:"after,omitempty"`
	Found *time.Time `json:"found,omitempty"`
	// Added, Removed and Replaced are the key IDs of a change that this look has found.
	Added    []string `json:"added,omitempty"`
	Removed  []string `json:"removed,omitempty"`
	Replaced []string `json:"replaced,omitempty"`

	first bool // it is the first look
}

// readKeyState reads a file that a doctor has written. One that is not there yet is empty.
func readKeyState(path string) (*keyState, error) {
	state := &keyState{About: aboutKeyState, Sets: make(map[string]*rememberedSet)}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0:
		return state, nil
	case err != nil:
		return nil, fmt.Errorf("-since: %w", err)
	}
	var old keyState
	if json.Unmarshal(text, &old) != nil || old.About != aboutKeyState {
		return nil, fmt.Errorf("-since %s: %w", path, errForeignState)
	}
	for name, set := range old.Sets {
		if set != nil {
			state.Sets[name] = set
		}
	}
	return state, nil
}

// compare tells each key set what has changed, and remembers what is there now. A set that could not be fetched stays as it was.
func (s *keyState) compare(found *checkup) {
	now := found.Time
	for i := range found.KeySets {
		k := &found.KeySets[i]
		if len(k.prints) == 0 || k.Keys == 0 {
			continue
		}
		name := strings.TrimSpace(k.id.TenantID + " " + k.Address)
		old := s.Sets[name]
		if old == nil {
			s.Sets[name] = &rememberedSet{First: now, Last: now, Keys: k.prints}
			k.Change = &change{Since: now, first: true}
			continue
		}
		c := &change{Since: old.First}
		for kid, print := range k.prints {
			if was, ok := old.Keys[kid]; !ok {
				c.Added = append(c.Added, kid)
			} else if was != print {
				c.Replaced = append(c.Replaced, kid)
			}
		}
		for kid := range old.Keys {
			if _, ok := k.prints[kid]; !ok {
				c.Removed = append(c.Removed, kid)
			}
		}
		if c.new() {
			after, changed := old.Last, now
			old.After, old.Changed = &after, &changed
		}
		slices.Sort(c.Added)
		slices.Sort(c.Removed)
		slices.Sort(c.Replaced)
		c.After, c.Found = old.After, old.Changed
		old.Last, old.Keys = now, k.prints
		k.Change = c
	}
}

// write replaces the file whole or not at all.
func (s *keyState) write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once it is renamed
	_, err = temporary.Write(append(text, '\n'))
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// new tells whether this look has found a change.
func (c *change) new() bool { return len(c.Added)+len(c.Removed)+len(c.Replaced) > 0 }

// text says when the keys last changed.
func (c *change) text() string {
	const minute = "2006-01-02 15:04"
	var parts []string
	for _, list := range []struct {
		what string
		kids []string
	}{{"added", c.Added}, {"withdrawn", c.Removed}, {"replaced under the same key ID", c.Replaced}} {
		if len(list.kids) > 0 {
			parts = append(parts, printable(strings.Join(list.kids, ", "))+" "+list.what)
		}
	}
	if c.new() {
		return fmt.Sprintf("The keys changed between %s and now: %s.", c.After.Local().Format(minute), strings.Join(parts, "; "))
	}
	return fmt.Sprintf("The keys last changed between %s and %s.", c.After.Local().Format(minute), c.Found.Local().Format(minute))
}
