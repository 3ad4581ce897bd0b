"""The words that random profiles are made of: function, file, mapping and label names as real programs have them."""

GO = """main.main main.(*Server).handle main.alloc2.func1 main.alloc2 runtime.gopark runtime.mallocgc runtime.chansend
runtime.main runtime.goexit runtime.systemstack net/http.(*conn).serve net/http.HandlerFunc.ServeHTTP
github.com/foo/bar/v4/baz.Foo.Bar github.com/foo/bar/v4/baz.(*Tree[go.shape.int]).Insert.func1.2
example.org/x/y%2ez.init.0 encoding/json.(*decodeState).object runtime.panic runtime.call32 runtime.reflectcall
google.golang.org/grpc/internal/transport.(*http2Server).HandleStreams.func1 type:.eq.main.T
sync.(*Mutex).Lock internal/poll.runtime_pollWait""".split()

CPP = ["std::vector<int, std::allocator<int> >::push_back(int const&)", "operator new(unsigned long)",
       "(anonymous namespace)::worker(void*)", "ns::Class::method<float, long, int>()", "ns::Class::operator()(int) const",
       "std::__1::basic_string<char>::__grow_by(unsigned long, unsigned long)", "ns::(anonymous namespace)::f(int)::{lambda(int)#1}::operator()(int) const",
       "absl::lts_2023::Mutex::Lock()", "tcmalloc::CentralFreeList::Populate()", "void ns::apply<void (*)(int)>(void (*)(int))",
       "operator<<(std::ostream&, Foo const&)", "a::b<c<d>>::e", "Foo::operator->() const", "_ZN3foo3barEv",
       "_ZNSt6vectorIiSaIiEE9push_backERKi", "_ZN12_GLOBAL__N_16workerEPv", "_Znwm", "_ZNK2ns5ClassclEi",
       "_ZN3foo3barILi3EEEvT_.isra.0", "_Z3addii", "__ZN3foo3bazEv"]

RUST = ["core::ops::function::FnOnce::call_once{{vtable.shim}}", "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop",
        "tokio::runtime::task::harness::Harness<T,S>::poll", "std::rt::lang_start::{{closure}}",
        "_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "_RNvCs1234_7mycrate3foo", "_RNvNtCs1234_7mycrate3mod3bar",
        "<[T] as core::fmt::Debug>::fmt"]

JAVA = ["java.util.concurrent.ThreadPoolExecutor$Worker.run", "java.bar.foo.FooBar.run(java.lang.Runnable)",
        "com.example.Main$$Lambda$14.apply", "com.example.Main.<init>", "scala.collection.immutable.List.map"]

C = """main malloc calloc free realloc __libc_start_main __libc_malloc _start start_thread clone3 __GI___poll memcpy
__memcpy_avx_unaligned_erms do_work parse_line hash_insert compare quick_sort.part.0 write_all.constprop.1 .plt
_dl_start ProfileData::Add __restore __pthread_sighandler entry_SYSCALL_64 do_syscall_64 ksys_write""".split()

ODD = ["naïve_föö", "函数::呼び出し", "name with  spaces", "tab\there", "emoji 🦀 crab", "quote\"d", "back\\slash", "semi;colon",
       "<unknown>", "[kernel]", "a", "A", "aB", "x.y.z", "line1000", "line2001", "%d%s", "<script>&amp;", "f(", "g)", "[", "*", "",
       "operator()", ".hidden", "..dots(int)", "very_" + "long_" * 40 + "name", "trailing ", " leading"]

FILES = ["main.go", "/usr/local/go/src/runtime/proc.go", "/usr/local/go/src/runtime/malloc.go", "src/server.c", "src/server.c",
         "./src//parse.c", "src/a/../b.c", "/src/project/lib/util.cc", "/src/project//lib/./util.cc", "../up/one.c", "a.c", "b.c",
         "file with spaces.c", "/home/me/go/pkg/mod/github.com/foo/bar/v4@v4.1.0/baz/baz.go", "/proc/self/cwd/src/server.c",
         "/proc/self/cwd/./deep/one.h", "C:\\src\\win.c", "größe.c", "/rustc/abc/library/core/src/ops/function.rs", "", "", ".", "/",
         "src/", "http://example.com/x.c", "x/y/z/../../../w.c", "//net/share.c"]

# None of these files exist: the reference, which runs without its tools here, could not read them, and we could.
MAPPINGS = ["/usr/bin/server", "/usr/lib/x86_64-gnu-linux/libc.so.6", "/opt/app/bin/prog name", "[vdso]", "[kernel.kallsyms]_text",
            "[kernel.kallsyms]", "linux-vdso.so.1", "/usr/lib/libstdc++.so.6.0.30", "", "testbinary", "/dev/dri/card0", "//anon",
            "/memfd:jit", "[heap]", "/bin/größe", "http://host.example/debug/pprof/heap", "/a//b/../c/bin"]

TEXT_KEYS = ["key1", "key2", "thread", "request id", "tenant", "schlüssel", "bytes", "goroutine", "pprof::tag", "K"]
TEXT_VALUES = ["tag1", "tag2", "a", "b c", "true", "GET /api/v1/items?x=1", "worker-1", "worker-2", "12kb", "a,b", "wörter", "key=value",
               "x:y", "", "longer " * 20]
NUMBER_KEYS = [("bytes", ["", "bytes"]), ("bytes", ["bytes"]), ("request", [""]), ("alignment", ["", "bytes"]),
               ("latency", ["ms", "ns", "us", "milliseconds", "s"]), ("size", ["kb", "bytes", "MB", "kilobytes"]), ("count", [""]),
               ("frobs", ["frobs", "frob", ""]), ("cost", ["GCU", "mGCU", "n*GCU"]), ("key1", ["bytes", ""]), ("µ", ["µs", "us"]),
               ("delay", ["nanoseconds", "hr", "Seconds"])]

COMMENTS = ["a comment", "#hidden comment", "Commande: ./server -é", "build: 2024-01-01", "", "  indented", "two\nlines", "#"]
DOC_URLS = ["https://example.com/profile.html", "http://example.com/?a=1&b=2", "not a url", "ftp://example.com/x", "javascript:alert(1)",
            "https://exämple.com/ü"]

SAMPLE_TYPES = [
    [("samples", "count"), ("cpu", "nanoseconds")],
    [("samples", "count"), ("cpu", "nanoseconds")],
    [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")],
    [("alloc_objects", "count"), ("alloc_space", "bytes"), ("inuse_objects", "count"), ("inuse_space", "bytes")],
    [("contentions", "count"), ("delay", "nanoseconds")],
    [("goroutine", "count")],
    [("objects", "count"), ("space", "kilobytes")],
    [("wall", "milliseconds")],
    [("wall", "ms"), ("frobs", "frobs"), ("cost", "GCU")],
    [("events", ""), ("time", "us")],
    [("calls", "calls"), ("bytes", "B"), ("hours", "hrs")],
    [("inuse_objects", "count"), ("inuse_space", "mb")],
    [("cpu", "seconds")], [("größe", "bytes")], [("count", "unit"), ("x y", "sample")],
]

PERIOD_TYPES = [("cpu", "nanoseconds"), ("space", "bytes"), ("contentions", "count"), ("goroutine", "count"), ("", ""), ("cpu", "ms"),
                ("frob", "frobs")]
