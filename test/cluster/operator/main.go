// Operator uses an API as operators written in Go use it, and prints what it saw, one line of JSON a
// step: what two servers show can so be compared.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// Rooms run at the same time, each in a namespace of its own.
var rooms = map[string]func(context.Context, *room) error{
	"access":    access,
	"apply":     apply,
	"custom":    custom,
	"discovery": discover,
	"events":    recordEvents,
	"informers": informers,
	"leaders":   leaders,
	"lists":     lists,
	"manager":   reconcile,
	"objects":   objects,
	"owners":    owners,
	"watches":   watches,
}

const jsonMedia = "application/json"
const protobufMedia = "application/vnd.kubernetes.protobuf"

func main() {
	// A set of its own: a library has flags in the one of all.
	flags := flag.NewFlagSet("operator", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "where the API is and who asks")
	run := flags.String("run", "run", "part of every name, so that one server can be used twice")
	media := flags.String("media", "protobuf", "what typed clients send and ask for: json or protobuf")
	only := flags.String("only", "", "rooms to run, with commas between; all of them by default")
	within := flags.Duration("within", 90*time.Second, "all of it has to be done in this time")
	_ = flags.Parse(os.Args[1:])
	ctrllog.SetLogger(klog.NewKlogr())
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	// The server is what is looked at, not how patient a client is.
	config.QPS = -1
	if *media == "protobuf" {
		config.ContentType = protobufMedia
		config.AcceptContentTypes = protobufMedia + "," + jsonMedia
	} else {
		config.ContentType = jsonMedia
	}
	ctx, cancel := context.WithTimeout(context.Background(), *within)
	defer cancel()
	failed := runRooms(ctx, config, *run, *only)
	if failed {
		os.Exit(1)
	}
}

func runRooms(ctx context.Context, config *rest.Config, run string, only string) (failed bool) {
	out := &lines{encoder: json.NewEncoder(os.Stdout)}
	var all sync.WaitGroup
	var mutex sync.Mutex
	for name, use := range rooms {
		if only != "" && !strings.Contains(","+only+",", ","+name+",") {
			continue
		}
		all.Go(func() {
			err := enter(ctx, config, run, name, out, use)
			if err == nil {
				return
			}
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			mutex.Lock()
			defer mutex.Unlock()
			failed = true
		})
	}
	all.Wait()
	return failed
}

type lines struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (out *lines) write(step string, saw any) error {
	out.mutex.Lock()
	defer out.mutex.Unlock()
	return out.encoder.Encode(map[string]any{"step": step, "saw": saw})
}
