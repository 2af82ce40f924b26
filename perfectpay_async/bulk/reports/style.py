"""The style of the page: light and dark, for a screen of any width and for paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark;
  --paper: #fcfcfb; --card: #ffffff; --ink: #1d2329; --soft: #5b6670; --line: #dfe3e6;
  --band: #f0f3f5; --hatch: #c9d0d5; --blue: #2468b4; --sky: #d6e5f5;
  --ok: #2c8a57; --rejected: #c4372f; --exhausted: #e08a1e; --unknown: #8a54b5;
  --invalid: #8f5a3c; --skipped: #7d93a5; --remaining: #d4dade; }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #14181c; --card: #1b2127; --ink: #e6eaed; --soft: #9aa7b2; --line: #323b43;
  --band: #222a31; --hatch: #46525c; --blue: #6cabf0; --sky: #24405e;
  --ok: #46b07a; --rejected: #ea6a60; --exhausted: #f0a848; --unknown: #b689dd;
  --invalid: #c48a68; --skipped: #8ba2b5; --remaining: #3c464e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 3rem; max-width: 58rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .7rem; font-size: 1.1rem; }
p { margin: .3rem 0; }
.kicker, .note, dt, th { color: var(--soft); }
.kicker { font-size: .85rem; overflow-wrap: anywhere; }
.headline { margin: 1rem 0; padding: .8rem 1rem; border-left: .4rem solid var(--mark);
  border-radius: .35rem; background: var(--card); box-shadow: 0 0 0 1px var(--line);
  font-size: 1.15rem; font-weight: 600; }
.headline.good { --mark: var(--ok); }
.headline.bad { --mark: var(--exhausted); }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.6rem, 1fr));
  gap: .6rem; margin: 0; }
.figures div { padding: .6rem .8rem; border-radius: .35rem; background: var(--card);
  box-shadow: 0 0 0 1px var(--line); }
.figures dt { font-size: .8rem; }
.figures div:first-child { grid-column: span 2; }
.figures dd { margin: 0; font-size: 1.05rem; font-weight: 600;
  font-variant-numeric: tabular-nums; }
table { width: 100%; border-collapse: collapse; background: var(--card); border-radius: .35rem;
  box-shadow: 0 0 0 1px var(--line); }
th, td { padding: .45rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
tbody tr:last-child td { border-bottom: 0; }
th { font-size: .8rem; font-weight: 500; white-space: nowrap; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { white-space: nowrap; }
tr.none td { color: var(--soft); }
code { font: .86em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
code span { display: inline-block; }
td[data-label="code"] { min-width: 5rem; }
.swatch { display: inline-block; width: .75em; height: .75em; margin-right: .5em;
  border-radius: .15em; background: var(--swatch); }
.bar { display: block; width: 100%; height: 28px; margin-bottom: .8rem; border-radius: .35rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .9rem 0 .3rem;
  font-size: .85rem; color: var(--soft); }
.legend b { color: var(--ink); font-weight: 600; }
.line { display: inline-block; width: 1.4em; margin-right: .5em; vertical-align: .25em;
  border-top: 2.5px solid var(--swatch); }
.line.dashed { border-top-style: dashed; }
.chart { display: block; max-width: 100%; height: auto; }
.chart text { font: 11.5px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--soft); }
.chart .pause { font-size: 11px; }
.narrow { display: none; }
.run { fill: var(--band); }
.gap { fill: url(#hatch); }
.hatch { stroke: var(--hatch); stroke-width: 1.5; }
.grid { stroke: var(--line); stroke-width: 1; }
.edge { stroke: var(--soft); stroke-width: 1; }
.tick { stroke: var(--soft); stroke-width: 1; }
.area { fill: var(--sky); opacity: .75; }
.rows, .requests { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
.granted { fill: none; stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
rect.ok { fill: var(--ok); } rect.rejected { fill: var(--rejected); }
rect.exhausted { fill: var(--exhausted); } rect.unknown { fill: var(--unknown); }
rect.invalid { fill: var(--invalid); } rect.skipped { fill: var(--skipped); }
rect.remaining { fill: var(--remaining); }
.throttled { fill: var(--exhausted); opacity: .85; }
.failed { fill: var(--rejected); opacity: .85; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.2rem; margin: 0; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 640px) {
  body { padding: 1rem .8rem 2rem; }
  .wide { display: none; } .narrow { display: block; }
  .stacked thead { display: none; }
  .stacked tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .stacked tbody tr:last-child { border-bottom: 0; }
  .stacked td { display: grid; grid-template-columns: 6.2rem 1fr; gap: .8rem; border: 0;
    padding: .12rem .8rem; text-align: left; white-space: normal; }
  .stacked td::before { content: attr(data-label); color: var(--soft); font-size: .85rem; }
  .stacked .none td:nth-child(n + 3) { display: none; }
  .stacked td.empty { display: none; }
  .facts { grid-template-columns: 1fr; } .facts dd { margin-bottom: .4rem; }
}
@media print {
  :root { color-scheme: light; }
  body { max-width: none; padding: 0; background: none; font-size: 9.5pt;
    print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2 { break-after: avoid; } tr, .chart, .bar, .figures, .headline, .facts { break-inside: avoid; }
  .wide { display: block; width: 100%; } .narrow { display: none; }
}
"""
