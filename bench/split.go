// split.go - the shares of split.c in Go, under Go's own CPU profiler: split MILLISECONDS balanced|unbalanced HZ PROFILE
//
// Prints what split.c prints. Not here: who compares (runtime_cpu.py).
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

const roundsACall = 40000

// The CPU clock of the calling thread, in nanoseconds.
func cpuClock() int64 {
	const threadCPU = 3
	var now syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, threadCPU, uintptr(unsafe.Pointer(&now)), 0)
	return now.Nano()
}

//go:noinline
func f50(x uint64) uint64 {
	for i := 0; i < roundsACall; i++ {
		x = x*6364136223846793005 + (x >> 17) + 50
	}
	return x
}

//go:noinline
func f30(x uint64) uint64 {
	for i := 0; i < roundsACall; i++ {
		x = x*6364136223846793005 + (x >> 17) + 30
	}
	return x
}

//go:noinline
func f20(x uint64) uint64 {
	for i := 0; i < roundsACall; i++ {
		x = x*6364136223846793005 + (x >> 17) + 20
	}
	return x
}

type worker struct {
	random, sink uint64
	truth        [3]int64
	cpu          int64
	_            [64]byte
}

func (w *worker) draw(below uint64) uint64 {
	w.random ^= w.random << 13
	w.random ^= w.random >> 7
	w.random ^= w.random << 17
	return (w.random >> 32) * below >> 32
}

func (w *worker) call(which int) {
	start := cpuClock()
	switch which {
	case 0:
		w.sink = f50(w.sink)
	case 1:
		w.sink = f30(w.sink)
	default:
		w.sink = f20(w.sink)
	}
	w.truth[which] += cpuClock() - start
}

func (w *worker) burstAndSleep() {
	for start := cpuClock(); cpuClock()-start < 1000000; {
		w.call(2)
	}
	time.Sleep(2*time.Millisecond + time.Duration(w.draw(2000000)))
}

func (w *worker) run(bursts, unbalanced bool, end time.Time) {
	runtime.LockOSThread()
	start := cpuClock()
	for time.Now().Before(end) {
		tickets := uint64(100)
		if unbalanced {
			tickets = 80
		}
		ticket := w.draw(tickets)
		switch {
		case bursts:
			w.burstAndSleep()
		case ticket < 50:
			w.call(0)
		case ticket < 80:
			w.call(1)
		default:
			w.call(2)
		}
	}
	w.cpu = cpuClock() - start
}

func main() {
	milliseconds, _ := strconv.Atoi(os.Args[1])
	unbalanced := os.Args[2] == "unbalanced"
	hz, _ := strconv.Atoi(os.Args[3])
	profile, err := os.Create(os.Args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if hz != 100 {
		runtime.SetCPUProfileRate(hz) // StartCPUProfile complains, and keeps it
	}
	if err := pprof.StartCPUProfile(profile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var workers [2]worker
	var all sync.WaitGroup
	end := time.Now().Add(time.Duration(milliseconds) * time.Millisecond)
	for i := range workers {
		workers[i].random = uint64(time.Now().UnixNano())*2654435761 + uint64(os.Getpid()+i) | 1
		all.Add(1)
		go func(i int) {
			defer all.Done()
			workers[i].run(unbalanced && i == 1, unbalanced, end)
		}(i)
	}
	all.Wait()
	pprof.StopCPUProfile()
	for i, name := range []string{"f50", "f30", "f20"} {
		fmt.Println(name, workers[0].truth[i]+workers[1].truth[i])
	}
	fmt.Println("cpu", workers[0].cpu+workers[1].cpu)
}
