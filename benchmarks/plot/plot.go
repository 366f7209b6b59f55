// Package plot draws the results as SVG, for GitHub's light and dark pages.
package plot

import (
	"fmt"
	"slices"
	"sync"

	"github.com/go-analyze/charts"
	"golang.org/x/image/font/gofont/goregular"
)

// Theme is a page that plots are shown on. The background is the page's.
type Theme struct {
	Name    string
	palette charts.ColorPalette
}

// Themes are those of GitHub. The colours of series are told apart on either, also by people who do not see red from green.
var Themes = []Theme{
	{"light", palette(false, "#1f2328", "#d1d9e0", "#afb8c1", "#0969da", "#bc4c00")},
	{"dark", palette(true, "#f0f6fc", "#3d444d", "#656c76", "#58a6ff", "#f0883e")},
}

// The order of a theme's colours.
const (
	neutral = iota
	ours
	others
)

func palette(dark bool, text, lines string, series ...string) charts.ColorPalette {
	colours := make([]charts.Color, len(series))
	for i, s := range series {
		colours[i] = charts.ParseColor(s)
	}
	return charts.MakeTheme(charts.ThemeOption{
		IsDarkMode: dark, BackgroundColor: charts.ColorTransparent,
		TextColor: charts.ParseColor(text), AxisStrokeColor: charts.ParseColor(lines), AxisSplitLineColor: charts.ParseColor(lines),
		SeriesColors: colours,
	})
}

// installFont makes the Go font the one that texts are measured with. Viewers show another one, as the SVG leaves it to them; this
// one is wide, so that there is room for theirs.
var installFont = sync.OnceValue(func() error {
	if err := charts.InstallFont("Go", goregular.TTF); err != nil {
		return err
	}
	return charts.SetDefaultFont("Go")
})

const textSize = 10

// belowTitle is where legends are.
var belowTitle = charts.OffsetStr{Left: "0", Top: "28"}

// slack keeps names off the axis where the viewer's font is wider still: three spaces that are not dropped.
const slack = "\u00a0\u00a0\u00a0"

// Bar is a subject and its cost, in RSA verifications.
type Bar struct {
	Name string
	Cost float64
	Ours bool
}

// Bars draws a bar for each subject, the first on top: what RSA takes of it, and what comes on top of that.
func Bars(theme Theme, title string, bars []Bar) ([]byte, error) {
	if err := installFont(); err != nil {
		return nil, err
	}
	compared := slices.ContainsFunc(bars, func(bar Bar) bool { return !bar.Ours })
	values, names := make([][]float64, 3), make([]string, len(bars))
	for i := range values {
		values[i] = make([]float64, len(bars))
	}
	labels := make(map[float64]string) // by the value that they stand beside, which is all that the library tells
	for i, bar := range slices.Backward(bars) {
		at := len(bars) - 1 - i // the library begins at the bottom
		names[at] = bar.Name + slack
		own, rest := others, bar.Cost
		if bar.Ours {
			own = ours
		}
		if bar.Cost >= 1 { // otherwise no signature was checked
			values[neutral][at], rest = 1, bar.Cost-1
		}
		values[own][at] = rest
		labels[rest] = fmt.Sprintf("%.2f", bar.Cost)
	}
	opt := charts.NewBarChartOptionWithData(values)
	opt.Theme = theme.palette
	opt.Horizontal = true
	opt.StackSeries = charts.Ptr(true)
	opt.Title.Text = title
	opt.Legend.SeriesNames = []string{"the signature", "identity"}
	if compared {
		opt.Legend.SeriesNames = append(opt.Legend.SeriesNames, "other libraries")
	} else {
		opt.SeriesList = opt.SeriesList[:others]
	}
	opt.Legend.FontStyle.FontSize = textSize
	opt.Legend.Offset = belowTitle
	opt.CategoryAxis.Labels = names
	opt.CategoryAxis.LabelFontStyle.FontSize = textSize
	opt.ValueAxis = []charts.ValueAxisOption{{Min: charts.Ptr(0.0), LabelFontStyle: charts.FontStyle{FontSize: textSize}}}
	for i := range opt.SeriesList[ours:] {
		series := &opt.SeriesList[ours+i]
		series.Label = theme.label()
		series.Label.LabelFormatter = func(_ int, _ string, value float64) (string, *charts.LabelStyle) {
			return labels[value], nil
		}
	}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 880, Height: 100 + 27*len(bars), Theme: theme.palette})
	if err := p.BarChart(opt); err != nil {
		return nil, err
	}
	return p.Bytes()
}

// label is how values are written: in the colour of all text, where the library would choose one for the colour of the series.
func (t *Theme) label() charts.SeriesLabel {
	return charts.SeriesLabel{Show: charts.Ptr(true), FontStyle: charts.FontStyle{FontSize: textSize, FontColor: t.palette.GetLabelTextColor()}}
}
