package workbench

import (
	"slices"
	"testing"

	"shark/snapshot"
)

// TestMissingNode: a node that was away when the snapshot was made is missing from every
// answer.
func TestMissingNode(t *testing.T) {
	for kind, want := range map[snapshot.NoteKind]bool{snapshot.NoteNode: true, snapshot.NoteDamage: true, snapshot.NotePolicy: false} {
		e := &Evidence{snapshot: &snapshot.Snapshot{Manifest: &snapshot.Manifest{Coverage: []snapshot.Note{{Kind: kind, Node: "n2", Text: "nothing of it is here"}}}}}
		if notes, partial := e.manifestNotes(); partial != want || !slices.Equal(notes, []string{"n2: nothing of it is here"}) {
			t.Errorf("%s: %q, partial: %t", kind, notes, partial)
		}
	}
}
