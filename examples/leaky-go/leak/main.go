// Command leak is a server with a goroutine leak, to be hunted with cpprof: ten times a second it starts a goroutine
// that takes 10 MiB and then waits for ever, because nobody receives what it sends. Its profiles are served by
// net/http/pprof at http://127.0.0.1:9527/debug/pprof/.
package main

import (
	"fmt"
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"time"
)

const blockSize = 10 << 20

// alloc1 starts one piece of work and does not wait for it.
func alloc1(outCh chan<- int) {
	go alloc2(outCh)
}

// alloc2 takes a block, reports that it has it, and counts it as used. It is kept out of line so that stacks read as the
// source does.
//
//go:noinline
func alloc2(outCh chan<- int) {
	func() {
		defer fmt.Println("alloc2: done")
		block := make([]byte, blockSize)
		outCh <- 0
		block[0]++
	}()
}

func main() {
	address := "127.0.0.1:9527"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	go func() {
		log.Fatal(http.ListenAndServe(address, nil))
	}()

	// The mistake: a channel without a buffer, and no receiver.
	outCh := make(chan int)
	for range time.Tick(100 * time.Millisecond) {
		alloc1(outCh)
	}
}
