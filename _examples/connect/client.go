package main

import (
	"context"
	"net/http"

	"connectrpc.com/connect"
)

const address = "http://orders.example"

// request is a request with these Authorization headers.
func request(authorization []string) *connect.Request[empty] {
	req := connect.NewRequest(new(empty))
	for _, value := range authorization {
		req.Header().Add("Authorization", value)
	}
	return req
}

// call makes a unary call.
func call(ctx context.Context, client *http.Client, procedure string, authorization ...string) (string, error) {
	res, err := connect.NewClient[empty, order](client, address+procedure).CallUnary(ctx, request(authorization))
	if err != nil {
		return "", err
	}
	return res.Msg.Value, nil
}

// follow reads a stream until it ends, or until enough messages have come.
func follow(ctx context.Context, client *http.Client, enough int, authorization ...string) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := connect.NewClient[empty, order](client, address+watch).CallServerStream(ctx, request(authorization))
	if err != nil {
		return 0, err
	}
	defer func() {
		cancel()
		_ = stream.Close() // that it was cancelled, and nothing else
	}()
	for n < enough {
		if !stream.Receive() {
			return n, stream.Err()
		}
		n++
	}
	return n, nil
}

// codeOf is the code of a call's error, 0 for none.
func codeOf(err error) connect.Code {
	if err == nil {
		return 0
	}
	return connect.CodeOf(err)
}
