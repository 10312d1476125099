package intake

import (
	"context"
	"fmt"
	"os"
	"testing"
)

func TestZZ(t *testing.T) {
	r, _ := Open(context.Background(), Options{CacheDir: "/tmp/congvan-test-wasm"})
	data, _ := os.ReadFile(os.Getenv("ZZ"))
	d := &Draft{Places: map[FieldName][]Place{}}
	ps, err := r.readPages(context.Background(), d, data)
	fmt.Println(err)
	for _, p := range ps {
		for _, l := range linesOf(p.words, p.number) {
			fmt.Printf("%.0f-%.0f base %.0f size %.1f bold %v: %s\n", l.x0, l.x1, l.base, l.size, l.bold(), l.text())
		}
	}
}
