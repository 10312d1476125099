package pdfdoc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// oneStream is a file whose object 4 is a stream with the given dictionary entries and data, object 5 an integer.
func oneStream(entries, data string, length int) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	offsets := []int{}
	object := func(text string) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), text)
	}
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>")
	object("<< " + entries + " >>\nstream\n" + data + "\nendstream")
	object(fmt.Sprint(length))
	object("<< /Columns 4 >>")
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, at)
	return b.Bytes()
}

func noise(n int) string {
	r := rand.New(rand.NewPCG(5, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func plain(data []byte) (*model.Context, error) {
	v := newView(context.Background(), data, false)
	return pdfcpu.ReadWithContext(context.Background(), struct{ io.ReadSeeker }{v}, configuration(data))
}

// A file read with its long streams left in place has to be the same as one that was read in full.
func TestLongStreamsLeftInPlaceReadTheSame(t *testing.T) {
	long := noise(3 * leanWindow)
	cases := map[string]struct {
		data   []byte
		shared bool // the stream is a piece of the file afterwards
	}{
		"direct length":       {oneStream(fmt.Sprintf("/Length %d", len(long)), long, 0), true},
		"length elsewhere":    {oneStream("/Length 5 0 R", long, len(long)), true},
		"filter":              {oneStream("/Length 5 0 R /Filter /FlateDecode /DecodeParms 6 0 R", long, len(long)), true},
		"filters":             {oneStream("/Length 5 0 R /Filter [/A85 /Fl] /DecodeParms [null 6 0 R]", long, len(long)), true},
		"word in a string":    {oneStream("/Length 5 0 R /stream (stream)", long, len(long)), false},
		"end in a string":     {oneStream("/Length 5 0 R /A (endobj)", long, len(long)), false},
		"object inside":       {oneStream("/Length 5 0 R", "9 0 obj\n<< /A 1 >>\nendobj\n"+long, len(long)+26), false},
		"object far inside":   {oneStream("/Length 5 0 R", long+"9 0 obj\n<< /A 1 >>\nendobj\n", len(long)+26), true},
		"no length":           {oneStream("", strings.ReplaceAll(long, "e", "f"), 0), false},
		"length zero":         {oneStream("/Length 0", long, 0), false},
		"length negative":     {oneStream("/Length 5 0 R", long, -4), false},
		"length too short":    {oneStream("/Length 100", long, 0), true},
		"length too long":     {oneStream("/Length 9000000", long, 0), false},
		"length is no number": {oneStream("/Length 6 0 R", long, 0), false},
		"unknown filter":      {oneStream("/Length 5 0 R /Filter /Nothing", long, len(long)), true},
		"wrong parameters":    {oneStream("/Length 5 0 R /Filter [/FlateDecode] /DecodeParms [7 8]", long, len(long)), false},
		"linearized stream":   {oneStream("/Length 5 0 R /Linearized 1", long, len(long)), false},
		"short":               {oneStream("/Length 5 0 R", long[:99], 99), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := sameReading(t, c.data)
			if got == nil {
				return
			}
			sd, ok := got.Table[4].Object.(types.StreamDict)
			shared := ok && len(sd.Raw) > 0 && &sd.Raw[0] == &c.data[sd.StreamOffset]
			if shared != c.shared {
				t.Errorf("the stream is a piece of the file: %t, want %t", shared, c.shared)
			}
		})
	}
}

func TestSampleFilesLeftInPlaceReadTheSame(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*.pdf")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			sameReading(t, data)
			// Objects that are not where the table says make pdfcpu scan the file.
			sameReading(t, bytes.Replace(data, []byte("\nxref"), []byte("\n\n\n\nxref"), 1))
			sameReading(t, bytes.Replace(data, []byte("%PDF-1"), []byte("%PDF-1.\n%%%%%%%%\n%"), 1))
			sameReading(t, data[:len(data)*9/10])
		})
	}
}

// sameReading reads in both ways and returns the reading, nil when there is none.
func sameReading(t *testing.T, data []byte) *model.Context {
	t.Helper()
	before := bytes.Clone(data)
	want, wantErr := plain(data)
	got, err := load(context.Background(), data)
	if !bytes.Equal(data, before) {
		t.Fatal("the file was changed")
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("read: %v, in full: %v", err, wantErr)
	}
	if err != nil {
		return nil
	}
	sameObjects(t, got, want)
	return got
}

func sameObjects(t *testing.T, got, want *model.Context) {
	t.Helper()
	if len(got.Table) != len(want.Table) || !reflect.DeepEqual(got.Root, want.Root) {
		t.Fatalf("%d objects, in full %d", len(got.Table), len(want.Table))
	}
	for n, w := range want.Table {
		g := got.Table[n]
		if g == nil || g.Free != w.Free || g.Compressed != w.Compressed || g.Incr != w.Incr ||
			!reflect.DeepEqual(g.Offset, w.Offset) || !reflect.DeepEqual(g.Generation, w.Generation) {
			t.Errorf("entry %d differs: %+v in full %+v", n, g, w)
			continue
		}
		switch w.Object.(type) {
		case types.LazyObjectStreamObject, types.ObjectStreamDict:
			continue
		}
		if !reflect.DeepEqual(bare(g.Object), bare(w.Object)) {
			t.Errorf("object %d: %.300v, in full %.300v", n, g.Object, w.Object)
		}
	}
}

// bare is an object without what using it leaves in it.
func bare(o types.Object) types.Object {
	if sd, ok := o.(types.StreamDict); ok {
		sd.Content = nil
		return sd
	}
	return o
}
