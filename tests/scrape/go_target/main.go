// Command go_target does what demo.c does, in Go, and serves its profiles by net/http/pprof: what Go gives is what the doubles of
// the engines may demand. It ends when its standard input does.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"sync"
	"time"
)

var (
	convoy sync.Mutex
	sink   []byte
)

func burn() {
	for {
		for end := time.Now().Add(2 * time.Millisecond); time.Now().Before(end); {
		}
		time.Sleep(8 * time.Millisecond)
	}
}

func holdLock() {
	for {
		convoy.Lock()
		time.Sleep(4 * time.Millisecond)
		convoy.Unlock()
		time.Sleep(2 * time.Millisecond)
	}
}

func allocate() {
	for {
		sink = make([]byte, 100000)
		time.Sleep(time.Millisecond)
	}
}

func main() {
	runtime.SetBlockProfileRate(1)
	runtime.SetMutexProfileFraction(1)
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	go burn()
	go holdLock()
	go holdLock()
	go allocate()
	time.Sleep(100 * time.Millisecond)
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
