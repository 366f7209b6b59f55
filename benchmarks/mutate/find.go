package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// find returns the mutants of a file, in the order of its text.
//
// Where a change can be switched on while the program runs, it is written that way: see [batch]. What is left out stays where it is,
// behind that switch, so that no variable and no import is unused.
func find(path string) ([]*mutant, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	v := visitor{finder: &finder{path: path, source: source, set: set, negated: make(map[ast.Expr]bool)}}
	ast.Walk(v, file)
	return v.found, nil
}

type finder struct {
	path    string
	source  []byte
	set     *token.FileSet
	negated map[ast.Expr]bool // what has been negated as a whole
	found   []*mutant
}

// visitor walks through a file. It knows where it is.
type visitor struct {
	*finder
	in      string
	results []ast.Expr // the types of what the function returns
}

// Visit mutates one node.
func (v visitor) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.FuncDecl:
		v.in, v.results = n.Name.Name, types(n.Type.Results)
	case *ast.FuncLit:
		v.results = types(n.Type.Results)
	case *ast.GenDecl:
		return v.declaration(n)
	case *ast.BlockStmt:
		v.statements(n.List)
	case *ast.CaseClause:
		v.statements(n.Body)
	case *ast.CommClause:
		v.statements(n.Body)
	case *ast.IfStmt:
		v.condition(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			v.replace(n.Cond, "the loop is skipped", "!"+on+" && ("+v.text(n.Cond)+")")
		}
	case *ast.SwitchStmt:
		v.cases(n)
	case *ast.ReturnStmt:
		v.returned(n)
	case *ast.BinaryExpr:
		v.binary(n)
	case *ast.CallExpr:
		v.call(n)
	}
	return v
}

// types are those of results, one for each.
func types(fields *ast.FieldList) (all []ast.Expr) {
	if fields == nil {
		return nil
	}
	for _, f := range fields.List {
		for range max(1, len(f.Names)) {
			all = append(all, f.Type)
		}
	}
	return all
}

func (v visitor) text(n ast.Node) string {
	return string(v.source[v.offset(n.Pos()):v.offset(n.End())])
}

func (v visitor) offset(p token.Pos) int { return v.set.Position(p).Offset }

// replace adds the mutant in which other text stands in the place of n.
func (v visitor) replace(n ast.Node, what, by string) {
	v.splice(n, n.Pos(), n.End(), what, by)
}

// splice adds the mutant in which other text stands between two positions. It is about n.
func (v visitor) splice(n ast.Node, start, end token.Pos, what, by string) {
	at := v.set.Position(n.Pos())
	v.found = append(v.found, &mutant{
		path: v.path, source: v.source, file: filepath.Base(v.path), function: v.in, line: at.Line, column: at.Column,
		what: what, was: brief(v.text(n)), start: v.offset(start), end: v.offset(end), by: by,
	})
}

// condition decides what is a condition once and for all, or turns it round.
func (v visitor) condition(n ast.Expr) {
	v.replace(n, "always true", on+" || ("+v.text(n)+")")
	v.replace(n, "always false", "!"+on+" && ("+v.text(n)+")")
	v.replace(n, "negated", on+" != ("+v.text(n)+")")
	v.negated[ast.Unparen(n)] = true
}

// binary takes a side of && and || away, and puts a neighbour in the place of a comparison. Limits are moved by one.
func (v visitor) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.LAND:
		v.replace(n.X, "left of && dropped", "("+on+" || ("+v.text(n.X)+"))")
		v.replace(n.Y, "right of && dropped", "("+on+" || ("+v.text(n.Y)+"))")
	case token.LOR:
		v.replace(n.X, "left of || dropped", "(!"+on+" && ("+v.text(n.X)+"))")
		v.replace(n.Y, "right of || dropped", "(!"+on+" && ("+v.text(n.Y)+"))")
	}
	by, ok := neighbours[n.Op]
	if !ok {
		return
	}
	compare := func(what, x, op, y string) {
		v.replace(n, what, "("+on+" && "+x+op+y+" || !"+on+" && "+v.text(n)+")")
	}
	x, y := v.text(n.X), v.text(n.Y)
	equality := n.Op == token.EQL || n.Op == token.NEQ
	if !equality || !v.negated[n] { // that would be the same
		compare(by.String()+" for "+n.Op.String(), x, by.String(), y)
	}
	if lit, ok := n.Y.(*ast.BasicLit); ok && lit.Kind == token.INT {
		// One of the two is what the neighbour does, unless it asks for equality.
		if equality || n.Op == token.GTR || n.Op == token.LEQ {
			compare("limit one up", x, n.Op.String(), "("+y+"+1)")
		}
		if equality || n.Op == token.LSS || n.Op == token.GEQ {
			compare("limit one down", x, n.Op.String(), "("+y+"-1)")
		}
	}
}

var neighbours = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL,
}

// call exchanges min and max, and turns round what is said to a function by true or false.
func (v visitor) call(n *ast.CallExpr) {
	swap := map[string]string{"min": "max", "max": "min"}
	if name, ok := n.Fun.(*ast.Ident); ok && swap[name.Name] != "" {
		v.splice(n, name.Pos(), name.End(), swap[name.Name]+" for "+name.Name, swap[name.Name])
	}
	for _, e := range n.Args {
		v.literal(n, e)
	}
}

// literal turns true and false round.
func (v visitor) literal(n ast.Node, e ast.Expr) {
	switch v.text(e) {
	case "true":
		v.splice(n, e.Pos(), e.End(), "false for true", "!"+on)
	case "false":
		v.splice(n, e.Pos(), e.End(), "true for false", on)
	}
}

// cases takes cases away.
func (v visitor) cases(n *ast.SwitchStmt) {
	for i, s := range n.Body.List {
		clause := s.(*ast.CaseClause)
		for j, e := range clause.List {
			switch {
			case n.Tag == nil:
				v.condition(e)
			case j+1 < len(clause.List):
				v.splice(e, e.Pos(), clause.List[j+1].Pos(), "case dropped", "")
			case j > 0:
				v.splice(e, clause.List[j-1].End(), e.End(), "case dropped", "")
			case i+1 < len(n.Body.List):
				v.splice(e, clause.Pos(), n.Body.List[i+1].Pos(), "case dropped", "")
			default:
				v.splice(e, clause.Pos(), n.Body.Rbrace, "case dropped", "")
			}
		}
	}
}

// statements leaves statements out that have an effect and no result.
func (v visitor) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.ExprStmt, *ast.DeferStmt, *ast.GoStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.BranchStmt:
		default:
			continue
		}
		v.replace(s, "left out", "if !"+on+" { "+v.text(s)+" }")
	}
}

// returned puts success in the place of an error, and decides what a function that answers yes or no answers.
func (v visitor) returned(n *ast.ReturnStmt) {
	if len(n.Results) == 0 || len(v.results) == 0 {
		return
	}
	last := n.Results[len(n.Results)-1]
	if typ, ok := v.results[len(v.results)-1].(*ast.Ident); ok {
		switch typ.Name {
		case "error":
			v.returnedError(n, last)
		case "bool":
			v.returnedBool(n, last)
		}
	}
}

// returnedError returns zeros and no error. Something else in front of the error stays.
func (v visitor) returnedError(n *ast.ReturnStmt, last ast.Expr) {
	if v.text(last) == "nil" {
		return
	}
	zeros := make([]string, len(v.results))
	for i, typ := range v.results {
		zeros[i] = "*new(" + v.text(typ) + ")"
	}
	v.replace(n, "no error", "if "+on+" { return "+strings.Join(zeros, ", ")+" }; "+v.text(n))
}

func (v visitor) returnedBool(n *ast.ReturnStmt, last ast.Expr) {
	switch text := v.text(last); {
	case len(n.Results) < len(v.results): // a call that returns all of it
	case text == "true" || text == "false":
		v.literal(n, last)
	default:
		v.condition(last)
	}
}

// declaration moves constants, and takes elements of lists away.
func (v visitor) declaration(n *ast.GenDecl) ast.Visitor {
	for _, s := range n.Specs {
		spec, ok := s.(*ast.ValueSpec)
		if !ok {
			continue
		}
		if v.results == nil && len(spec.Names) == 1 {
			v.in = spec.Names[0].Name
		}
		for _, value := range spec.Values {
			list, isList := value.(*ast.CompositeLit)
			switch {
			case n.Tok == token.CONST:
				v.constant(value)
			case isList:
				v.elements(list)
			}
			ast.Walk(v, value)
		}
	}
	return nil
}

// constant moves a number by one, and doubles and halves a duration.
func (v visitor) constant(n ast.Expr) {
	number, duration := true, false
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr, *ast.ParenExpr, nil:
		case *ast.BasicLit:
			number = number && n.Kind == token.INT
		case *ast.SelectorExpr:
			duration = duration || v.text(n.X) == "time"
			return false
		default:
			number = false
		}
		return true
	})
	switch text := v.text(n); {
	case !number:
	case duration:
		v.replace(n, "doubled", "2 * ("+text+")")
		v.replace(n, "halved", "("+text+") / 2")
	default:
		v.replace(n, "one up", "("+text+") + 1")
		v.replace(n, "one down", "("+text+") - 1")
	}
}

// elements takes each element of a slice or an array away.
func (v visitor) elements(n *ast.CompositeLit) {
	if _, ok := n.Type.(*ast.ArrayType); !ok {
		return
	}
	for i, e := range n.Elts {
		end := n.Rbrace
		if i+1 < len(n.Elts) {
			end = n.Elts[i+1].Pos()
		}
		v.splice(e, e.Pos(), end, "element dropped", "")
	}
}
