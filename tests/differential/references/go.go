// The order of golang.org/x/mod/semver.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/semver"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		a, b, _ := strings.Cut(lines.Text(), " ")
		x, y := "v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")
		if semver.IsValid(x) && semver.IsValid(y) {
			fmt.Fprintln(out, a, []string{"<", "=", ">"}[semver.Compare(x, y)+1], b)
		}
	}
}
