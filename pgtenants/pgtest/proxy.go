package pgtest

import (
	"net"
	"sync"
)

// Proxy is a TCP proxy on loopback that can cut, stall, freeze and heal the connections through it.
type Proxy struct {
	// Addr is where it listens.
	Addr string

	listener net.Listener
	to       string
	working  sync.WaitGroup

	mu      sync.Mutex
	healthy *sync.Cond
	stalled bool
	refuse  bool
	closed  bool
	conns   map[net.Conn]bool
	frozen  map[net.Conn]bool // of those
}

// NewProxy listens on a port of its own and passes on to an address.
func NewProxy(to string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Addr: listener.Addr().String(), listener: listener, to: to, conns: make(map[net.Conn]bool), frozen: make(map[net.Conn]bool)}
	p.healthy = sync.NewCond(&p.mu)
	p.working.Go(p.accept)
	return p, nil
}

// Cut ends all connections and refuses new ones, until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = true
	p.drop()
}

// Stall lets nothing through any more, in either direction, and says nothing about it, until Heal: what a cable does that is pulled out. New
// connections are accepted, and as silent.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = true
}

// Freeze lets nothing through any more on the connections that there are, and says nothing about it; new ones are well. So it is when a
// firewall has forgotten a connection, or the other side has been replaced. Heal does not bring them back.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.conns {
		p.frozen[conn] = true
	}
}

// Heal lets connections be made again. Those that were stalled are ended: what is on the other side of a silence has gone.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stalled {
		p.drop()
	}
	p.refuse, p.stalled = false, false
}

// Close ends everything.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed, p.refuse, p.stalled = true, true, false
	p.drop()
	p.mu.Unlock()
	err := p.listener.Close()
	p.working.Wait()
	return err
}

// drop ends all connections. p.mu is held.
func (p *Proxy) drop() {
	for conn := range p.conns {
		conn.Close() // a second time it is an error, which does not matter
	}
	clear(p.conns)
	clear(p.frozen)
	p.healthy.Broadcast()
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.working.Go(func() { p.serve(conn) })
	}
}

// keep remembers a connection, or ends it if there are to be none.
func (p *Proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		conn.Close()
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *Proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.keep(client) || !p.pass(client) {
		return
	}
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.keep(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(server, client) })
	both.Go(func() { p.copy(client, server) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range []net.Conn{client, server} {
		delete(p.conns, conn)
		delete(p.frozen, conn)
	}
}

// pass waits while the proxy is stalled, or the connection frozen. It reports whether the connection is still there then.
func (p *Proxy) pass(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for (p.stalled || p.frozen[conn]) && p.conns[conn] {
		p.healthy.Wait()
	}
	return p.conns[conn]
}

func (p *Proxy) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.pass(from) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
