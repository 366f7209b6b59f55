package pgtenants

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/echo-identity/identity"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// decoder reads columns one by one. A row whose columns are not what they must be, because somebody has altered the table, is one row's fault;
// [pgx.Rows.Scan] would end the whole reading.
type decoder struct {
	types  *pgtype.Map
	fields []pgconn.FieldDescription
	plans  []pgtype.ScanPlan // of each column, once it has been read: it is always read into the same type
	values [][]byte
	hash   maphash.Hash

	// Where columns are read into, again and again: what is made anew for each row lies between the tenants, and makes memory slower to read.
	id, kind string
	content  columns
	targets  []any // the fields of content, in order
}

// columns are those of content.
type columns struct {
	tenant          identity.Tenant
	disabled, tfp   bool
	cloud, domain   string
	version         int16
	hosts, policies []string
}

func newDecoder(rows pgx.Rows) *decoder {
	d := &decoder{types: rows.Conn().TypeMap(), fields: rows.FieldDescriptions()}
	d.plans = make([]pgtype.ScanPlan, len(d.fields))
	c := &d.content
	t := &c.tenant
	d.targets = []any{&c.disabled, &t.Name, &c.cloud, &c.version, &t.Audiences, &t.Clients, &t.DenyGuests, &t.AllowNoPermissions, &t.AppKeys,
		&c.domain, &c.hosts, &c.policies, &c.tfp}
	d.hash.SetSeed(seed)
	return d
}

// column reads one column. Null is refused: the table has it in no column that is read with this.
func (d *decoder) column(i int, into any) error {
	f := &d.fields[i]
	if d.values[i] == nil {
		return fmt.Errorf("column %s is null", f.Name)
	}
	if text, ok := into.(*string); ok {
		if known, ok := knownTexts[string(d.values[i])]; ok {
			*text = known
			return nil
		}
	}
	if d.plans[i] == nil {
		d.plans[i] = d.types.PlanScan(f.DataTypeOID, f.Format, into)
	}
	if err := d.plans[i].Scan(d.values[i], into); err != nil {
		return fmt.Errorf("column %s: %w", f.Name, err)
	}
	return nil
}

// knownTexts are those that most rows have; each need be in memory only once.
var knownTexts = func() map[string]string {
	known := map[string]string{publicOrigin: publicOrigin}
	for _, name := range kindNames {
		known[name] = name
	}
	return known
}()

func (d *decoder) columns(from int, into ...any) error {
	var faults []error
	for i := range into {
		if err := d.column(from+i, into[i]); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// key reads a tenant ID and a kind.
func (d *decoder) key(from int) (key, error) {
	if err := errors.Join(d.column(from, &d.id), d.column(from+1, &d.kind)); err != nil {
		return key{}, err
	}
	k, err := parseKind(d.kind)
	if err != nil {
		return key{}, err
	}
	if len(d.id) != guidLength {
		return key{}, fmt.Errorf("tenant_id %.50q is not a GUID", d.id)
	}
	return key{d.id, k}, nil
}

// sum is a hash of the columns from one on. Its seed is random: nobody can make two rows that have the same.
func (d *decoder) sum(from int) uint64 {
	d.hash.Reset()
	var size [8]byte
	for _, value := range d.values[from:] {
		length := uint64(len(value))
		if value == nil {
			length = 1 << 63
		}
		binary.LittleEndian.PutUint64(size[:], length)
		d.hash.Write(size[:])
		d.hash.Write(value)
	}
	return d.hash.Sum64()
}

// contentColumns is the number of columns of content.
const contentColumns = 13

// maxRowBytes is more than the constraints of the table let in.
const maxRowBytes = 2 << 20

// refusal is what the engine gets for a row that is refused: it answers 503.
func refusal(k key, err error) error {
	return fmt.Errorf("%w: row %v %s: %w", identity.ErrTenantInvalid, k.kind, k.id, err)
}

const maxFault = 1000

// shortened is an error whose text, which may quote what is wrong, is not too long for a log.
func shortened(err error) error {
	text := err.Error()
	if len(text) <= maxFault {
		return err
	}
	return errors.New(strings.ToValidUTF8(text[:maxFault], "") + " …")
}

// tenant reads the columns of content.
func (d *decoder) tenant(k key, from int) (identity.Tenant, error) {
	size := 0
	for _, value := range d.values {
		size += len(value)
	}
	if size > maxRowBytes {
		return identity.Tenant{}, fmt.Errorf("the row has %d bytes, more than %d", size, maxRowBytes)
	}
	d.content = columns{}
	if err := d.columns(from, d.targets...); err != nil {
		return identity.Tenant{}, err
	}
	c := &d.content
	t := c.tenant
	t.ID, t.Cloud, t.Version = k.id, shortCloud(c.cloud), int(c.version)
	switch k.kind {
	case B2C:
		t.B2C = &identity.B2C{Domain: c.domain, Hosts: c.hosts, Policies: c.policies, TFPIssuers: c.tfp}
		return t, nil
	case External:
		t.External = &identity.External{Domain: c.domain, Hosts: c.hosts}
	default:
		if c.domain != "" || len(c.hosts) > 0 {
			return t, errors.New("domain and hosts are not for workforce tenants")
		}
	}
	if len(c.policies) > 0 || c.tfp {
		return t, errors.New("policies and tfp_issuers are for B2C only")
	}
	return t, nil
}
