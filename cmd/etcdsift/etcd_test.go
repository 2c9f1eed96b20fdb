package main

import (
	"errors"
	"net/url"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// A runningEtcd is an etcd in this process.
type runningEtcd struct {
	*clientv3.Client
	etcd     *embed.Etcd
	endpoint string
}

// startEtcd starts an etcd with that data dir.
func startEtcd(dir string) (_ *runningEtcd, err error) {
	cfg := embed.NewConfig()
	loopback := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	cfg.Dir, cfg.UnsafeNoFsync, cfg.EnableGRPCGateway = dir, true, false
	cfg.ListenClientUrls, cfg.ListenPeerUrls = []url.URL{loopback}, []url.URL{loopback}
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	cfg.TickMs, cfg.ElectionMs = 10, 100
	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			etcd.Close()
		}
	}()
	select {
	case <-etcd.Server.ReadyNotify():
	case err := <-etcd.Err():
		return nil, err
	case <-time.After(30 * time.Second):
		return nil, errors.New("etcd is not ready in time")
	}
	endpoint := etcd.Clients[0].Addr().String()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	return &runningEtcd{client, etcd, endpoint}, nil
}

func (e *runningEtcd) stop() error {
	err := e.Client.Close()
	e.etcd.Close()
	return err
}
