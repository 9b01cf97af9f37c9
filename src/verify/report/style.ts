/** The report's style sheet: paper first, screens wide and narrow after. */
export const STYLE = `
:root { --ink: #16212b; --muted: #5d6b78; --rule: #dde3e8; --accent: #0b5394; --paper: #fff; color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #eef1f4; color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1160px; margin: 24px auto; background: var(--paper); padding: 40px 48px 56px; box-shadow: 0 1px 6px rgb(20 40 60 / 12%); }
header { border-top: 5px solid var(--accent); padding-top: 14px; }
.kicker { margin: 0 0 6px; color: var(--accent); font-weight: 650; letter-spacing: 0.02em; }
h1 { font: 600 27px/1.25 Georgia, "Iowan Old Style", "Source Serif 4", serif; margin: 0 0 8px; max-width: 30em; text-wrap: balance; }
.standfirst { font-size: 17px; line-height: 1.5; max-width: 52em; margin: 8px 0 20px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 10px 28px; margin: 0; padding: 14px 0; border-block: 1px solid var(--rule); }
dt { color: var(--muted); font-size: 12.5px; }
dd { margin: 0; font-size: 14px; overflow-wrap: anywhere; }
.note { border-left: 3px solid #d98a00; padding: 4px 12px; margin: 14px 0 0; background: #fdf7ec; }
section { margin-top: 40px; }
h2 { font: 600 20px/1.3 Georgia, "Iowan Old Style", "Source Serif 4", serif; margin: 0 0 12px; padding-bottom: 6px; border-bottom: 2px solid var(--ink); }
h3 { font-size: 15px; font-weight: 650; margin: 26px 0 10px; }
.evidence { max-width: 60em; margin: 0 0 14px; }
figure { margin: 0; break-inside: avoid; position: relative; }
figcaption { position: absolute; top: 0; right: 0; opacity: 0; transition: opacity 0.15s; }
figure:hover figcaption, figcaption:focus-within { opacity: 1; }
figcaption button { font: 600 11px system-ui, sans-serif; color: var(--accent); background: var(--paper); border: 1px solid var(--rule); border-radius: 3px; padding: 2px 6px; margin-left: 4px; cursor: pointer; }
svg { display: block; width: 100%; height: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 26px 30px; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 18px 22px; }
.maps.four { grid-template-columns: repeat(auto-fill, minmax(min(100%, 235px), 1fr)); margin-top: 18px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 22px 30px; margin-top: 24px; }
.cards svg { max-width: 640px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 12.5px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 7px; border-bottom: 1px solid var(--rule); white-space: nowrap; font-weight: 400; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere; }
.key { font-size: 12.5px; }
.key thead th { white-space: normal; }
.key th:first-child, .key td:first-child { white-space: nowrap; overflow-wrap: normal; }
.key th[rowspan] { vertical-align: top; font-weight: 600; border-bottom-color: var(--muted); }
.key th[rowspan] small { display: block; font-weight: 400; }
.key tbody tr:last-child td { border-bottom-color: var(--muted); }
.key td:first-child { text-align: right; padding-left: 7px; }
.cards + .scroll { margin-top: 28px; }
.own { font-weight: 700; color: var(--accent); }
.own small { font-weight: 400; color: var(--muted); }
small { color: var(--muted); font-size: 0.86em; }
.best { font-weight: 650; }
.won { color: #0a6b3d; font-weight: 650; }
.lost { color: #a3281f; font-weight: 650; }
details { margin: 6px 0; }
summary { cursor: pointer; font-weight: 600; padding: 4px 0; }
ul { padding-left: 1.1em; margin: 0 0 14px; font-size: 14px; }
li { margin: 3px 0; }
code { font-size: 12.5px; background: #f2f5f7; padding: 1px 4px; }
@media (max-width: 720px) {
  main { margin: 0; padding: 18px 16px 32px; box-shadow: none; }
  h1 { font-size: 22px; }
  .standfirst { font-size: 15.5px; }
}
@media print {
  figcaption { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; }
  table { font-size: 9px; }
  .key { font-size: 10px; }
  th, td { padding: 2px 4px; }
  th, td { white-space: normal; }
  tr, tbody, dl > div, li, .note { break-inside: avoid; }
  small { white-space: nowrap; }
  h1 { font-size: 21px; }
  .standfirst { font-size: 13.5px; }
  section { margin-top: 22px; }
  body { background: none; font-size: 12px; }
  main { margin: 0; padding: 0; max-width: none; box-shadow: none; }
  section { break-before: auto; }
  h2, h3 { break-after: avoid; }
  .maps { grid-template-columns: repeat(3, 1fr); }
  .maps.four { grid-template-columns: repeat(4, 1fr); }
  .charts, .cards { grid-template-columns: repeat(2, 1fr); gap: 14px 24px; }
  @page { size: A4; margin: 14mm; }
}
`;
