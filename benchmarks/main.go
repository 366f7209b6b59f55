package main

import (
	_ "github.com/go-analyze/charts"
	_ "gonum.org/v1/plot"
)

func main() {}
