package filter

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// chunkSize is how much of a mail one chunk of INSTREAM holds; clamd takes up to its StreamMaxLength.
const chunkSize = 64 << 10

// maxAnswer bounds clamd's answer: a line with a name in it.
const maxAnswer = 4 << 10

// A Clamd scans by ClamAV's daemon.
type Clamd struct {
	Address string        // host:port, or the path of a socket
	Timeout time.Duration // for one mail; 2 min when zero
}

// Scan streams r to the daemon and returns the name of what was found, "" for a clean mail. Its error is that of r, or says that
// the mail was not judged.
func (c *Clamd) Scan(ctx context.Context, r io.Reader) (malware string, err error) {
	timeout := c.Timeout
	if timeout == 0 {
		timeout = 2 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	network := "tcp"
	if strings.HasPrefix(c.Address, "/") {
		network = "unix"
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, c.Address)
	if err != nil {
		return "", fmt.Errorf("clamd: %w: %w", ErrNotJudged, err)
	}
	defer conn.Close()
	if t, ok := ctx.Deadline(); ok {
		conn.SetDeadline(t)
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	broken, writeErr := stream(conn, r)
	if broken != nil {
		return "", broken
	}
	// After a refusal the daemon closes: its answer tells more than our failed write.
	text, readErr := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadString(0)
	if readErr != nil {
		return "", fmt.Errorf("clamd: %w: %w", ErrNotJudged, errors.Join(writeErr, readErr))
	}
	return verdict(strings.TrimSuffix(text, "\x00"))
}

// stream writes the mail as chunks of INSTREAM (clamd(8)).
func stream(conn io.Writer, r io.Reader) (broken, writeErr error) {
	if _, err := conn.Write([]byte("zINSTREAM\x00")); err != nil {
		return nil, err
	}
	buf := make([]byte, 4+chunkSize)
	for {
		n, err := io.ReadFull(r, buf[4:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return fmt.Errorf("read the mail: %w", err), nil
		}
		if n > 0 {
			binary.BigEndian.PutUint32(buf, uint32(n))
			if _, err := conn.Write(buf[:4+n]); err != nil {
				return nil, err
			}
		}
		if err != nil {
			_, err := conn.Write(make([]byte, 4))
			return nil, err
		}
	}
}

// verdict reads "stream: OK", "stream: NAME FOUND", "… ERROR".
func verdict(answer string) (string, error) {
	name, found := strings.CutSuffix(answer, " FOUND")
	switch {
	case answer == "stream: OK":
		return "", nil
	case found:
		return strings.TrimPrefix(name, "stream: "), nil
	case strings.Contains(answer, "size limit exceeded"):
		return "", fmt.Errorf("clamd: %w: %s", ErrTooLarge, answer)
	}
	return "", fmt.Errorf("clamd: %w: %q", ErrNotJudged, answer)
}
