package encryption

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/etcdsift/etcdsift/fixtures/forged"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// checkKMSError checks that the error names the provider and its endpoint.
func checkKMSError(t *testing.T, err error, path string) {
	t.Helper()
	var kms *KMSError
	if !errors.As(err, &kms) || kms.Name != "vault" || kms.Endpoint != "unix://"+path || kms.Err == nil {
		t.Fatalf("%v is no *KMSError of vault at unix://%s", err, path)
	}
	for _, want := range []string{`"vault"`, "unix://" + path} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %s in it", err, want)
		}
	}
	if strings.Count(err.Error(), path) > 1 {
		t.Errorf("error %q says a thing twice", err)
	}
	checkHidden(t, err)
}

func TestOpenKMSDead(t *testing.T) {
	unserved := func(t *testing.T) string { // the file is there, but nobody listens
		path := socket(t)
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
		return path
	}
	mute := func(t *testing.T) string { // it accepts, and says nothing
		path := socket(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return path
	}
	file := func(t *testing.T) string {
		path := socket(t)
		if err := os.WriteFile(path, []byte(secret32), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rude := func(t *testing.T) string { // it says something else than gRPC
		path := socket(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
				fmt.Fprintf(conn, "HTTP/1.1 400 %s\r\n\r\n", secret32)
				conn.Close()
			}
		}()
		return path
	}
	for _, version := range []string{"v1", "v2"} {
		for name, make := range map[string]func(*testing.T) string{"absent": func(t *testing.T) string { return socket(t) },
			"unserved": unserved, "mute": mute, "no socket": file, "rude": rude} {
			t.Run(version+" "+name, func(t *testing.T) {
				path := make(t)
				c := parse(t, kmsFile(version, path, 200*time.Millisecond))
				start := time.Now()
				err := c.OpenKMS(t.Context())
				checkKMSError(t, err, path)
				if took := time.Since(start); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				if want := "does not answer"; (name == "mute" || name == "rude") && !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
				if _, open := c.KMS(); open {
					t.Error("it counts as open")
				}
				sealed := []byte("k8s:enc:kms:" + version + ":vault:\x00\x01xyz")
				if _, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey)); err != ErrNoKMS {
					t.Errorf("Open: %v, want %v", err, ErrNoKMS)
				}
			})
		}
	}
}

// Every plugin that does not answer is told, and those that do are open.
func TestOpenKMSSome(t *testing.T) {
	path, _ := serve(t, newV2())
	file := kmsFile("v2", path, patient)
	sealed := sealKMS(t, file, "plain")
	nowhere := socket(t)
	c := parse(t, file+fmt.Sprintf("  - kms: {name: a, endpoint: 'unix://%s.1'}\n  - kms: {apiVersion: v2, name: b, endpoint: 'unix://%s.2'}\n", nowhere, nowhere))
	err := c.OpenKMS(t.Context())
	for _, want := range []string{`"a"`, nowhere + ".1", `"b"`, nowhere + ".2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s in it", err, want)
		}
	}
	if o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey)); err != nil || string(o.Plain) != "plain" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestOpenKMSCancelled(t *testing.T) {
	path, _ := serve(t, newV2())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := parse(t, kmsFile("v2", path, patient)).OpenKMS(ctx); err == nil {
		t.Error("OpenKMS with a context that is done")
	}
}

// A plugin that is gone says nothing of a value. What it unwrapped before may still open.
func TestOpenAfterPluginDied(t *testing.T) {
	for version, p := range map[string]any{"v1": &pluginV1{}, "v2": newV2()} {
		t.Run(version, func(t *testing.T) {
			path, stop := serve(t, p)
			sealed := sealKMS(t, kmsFile(version, path, patient), "plain")
			c := openKMS(t, kmsFile(version, path, 300*time.Millisecond))
			stop()
			start := time.Now()
			_, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
			checkKMSError(t, err, path)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := only(t, c.Match(sealed)).Open(ctx, sealed, []byte(etcdKey)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("with less time than the plugin has: %v, want that of ctx", err)
			}
		})
	}
}

// The connections end with the context of OpenKMS. That says nothing of a value either.
func TestOpenAfterContextEnded(t *testing.T) {
	for version, p := range map[string]any{"v1": &pluginV1{}, "v2": newV2()} {
		t.Run(version, func(t *testing.T) {
			path, _ := serve(t, p)
			file := kmsFile(version, path, time.Second)
			sealed := sealKMS(t, file, "plain")
			c := parse(t, file)
			ctx, cancel := context.WithCancel(t.Context())
			if err := c.OpenKMS(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			time.Sleep(50 * time.Millisecond) // until another goroutine has closed them
			_, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
			if err == nil || errors.Is(err, ErrClosed) {
				t.Errorf("%v, want an error that says that nobody was asked", err)
			}
		})
	}
}

// What a plugin says of its errors is its own affair, and may hold keys.
func TestKMSErrorTexts(t *testing.T) {
	said := errors.New("no: " + raw32 + " " + secret32)
	coded := status.Error(codes.PermissionDenied, said.Error())
	for _, said := range []error{said, coded} {
		t.Run(status.Code(said).String(), func(t *testing.T) {
			for version, p := range map[string]any{"v1": &pluginV1{encryptErr: said}, "v2": &pluginV2{health: "ok", keyID: "k", statusErr: said}} {
				path, _ := serve(t, p)
				checkKMSError(t, parse(t, kmsFile(version, path, patient)).OpenKMS(t.Context()), path)
			}
			v1, v2 := &pluginV1{}, newV2()
			for version, p := range map[string]any{"v1": v1, "v2": v2} {
				path, _ := serve(t, p)
				file := kmsFile(version, path, patient)
				sealed := sealKMS(t, file, "plain")
				c := openKMS(t, file)
				v1.decryptErr, v2.decryptErr = said, said
				o, err := only(t, c.Match(sealed)).Open(t.Context(), sealed, []byte(etcdKey))
				v1.decryptErr, v2.decryptErr = nil, nil
				if err == nil || o.Plain != nil {
					t.Errorf("%s: %+v, %v", version, o, err)
				}
				checkHidden(t, err)
			}
		})
	}
}

// A plugin whose status is none.
func TestOpenKMSOddStatus(t *testing.T) {
	for name, p := range map[string]any{
		"not healthy":      &pluginV2{health: secret32, keyID: "kek-1"},
		"no key ID":        &pluginV2{health: "ok"},
		"too long a keyID": &pluginV2{health: "ok", keyID: strings.Repeat(secret32, 40)},
		"of KMS v1":        &pluginV1{},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := serve(t, p)
			c := parse(t, kmsFile("v2", path, patient))
			checkKMSError(t, c.OpenKMS(t.Context()), path)
			if _, open := c.KMS(); open {
				t.Error("it counts as open")
			}
		})
	}
	path, _ := serve(t, newV2())
	checkKMSError(t, parse(t, kmsFile("v1", path, patient)).OpenKMS(t.Context()), path)
}

// A plugin that unwraps a DEK to what is no key.
func TestOpenKMSOddDEK(t *testing.T) {
	path, _ := serve(t, &pluginV1{})
	c := openKMS(t, kmsFile("v1", path, patient))
	for n := range 33 {
		sealed := forged.KMSv1(wrap("v1", make([]byte, n)), make([]byte, 29))
		checkClosed(t, only(t, c.Match(sealed)), sealed, etcdKey, fmt.Sprintf("DEK of %d bytes", n))
	}
}
