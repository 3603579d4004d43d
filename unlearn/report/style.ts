// The report's style sheet: light and dark by variables, wide and narrow, print. Colours are Okabe and Ito's, told apart with
// the common kinds of colour blindness, and none is the only carrier of what it says.

const LIGHT = `
  color-scheme: light;
  --page: #fbfbfa; --card: #ffffff; --ink: #1c2024; --soft: #565d66; --line: #e1e3e6; --faint: #f1f2f3;
  --forget: #c65102; --forget-2: #eda266; --retain: #0067a5; --retain-2: #7db7dd; --test: #00805c;
  --c0: #0067a5; --c1: #c65102; --c2: #00805c; --c3: #a3478b; --c4: #9a6d00; --c5: #3b8fc4; --c6: #7a4b2a; --c7: #5b5fc7;
  --accent: #0067a5; --heat: #3d96d0;
  --g0: #d9eaf6; --g1: #edf1f3; --g2: #fbe6cf; --g3: #f5c391; --warn: #8a3b00; --warn-bg: #fdebd9;
  --close: #d9eaf6; --close-ink: #00416b; --shadow: 0 1px 2px rgb(0 0 0 / .05), 0 4px 16px rgb(0 0 0 / .04);`;

const DARK = `
  color-scheme: dark;
  --page: #14171a; --card: #1b1f23; --ink: #e8eaec; --soft: #a3abb4; --line: #30363c; --faint: #23282d;
  --forget: #f08a3c; --forget-2: #9a5a2a; --retain: #56aee0; --retain-2: #2f6487; --test: #3fbf97;
  --c0: #56aee0; --c1: #f08a3c; --c2: #3fbf97; --c3: #de8fc6; --c4: #e0b43a; --c5: #8fc7ea; --c6: #c99a76; --c7: #9ea2f2;
  --accent: #6fbcea; --heat: #1f6ea6;
  --g0: #173a52; --g1: #272e34; --g2: #4a3520; --g3: #744413; --warn: #ffc48a; --warn-bg: #472c12;
  --close: #173a52; --close-ink: #bfe2f8; --shadow: none;`;

export const STYLE = `
:root {${LIGHT}
}
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {${DARK}
} }
:root[data-theme=dark] {${DARK}
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', Arial, sans-serif; }
main { max-width: 1400px; margin: 0 auto; padding: 0 28px 64px; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -999px; } .skip:focus { left: 12px; top: 12px; background: var(--card); padding: 8px 12px; z-index: 9; }

nav { position: sticky; top: 0; z-index: 5; background: color-mix(in srgb, var(--page) 92%, transparent); backdrop-filter: blur(8px);
  border-bottom: 1px solid var(--line); }
nav > div { max-width: 1400px; margin: 0 auto; padding: 0 28px; display: flex; align-items: center; gap: 20px; height: 48px; }
nav ul { display: flex; gap: 15px; list-style: none; margin: 0; padding: 0; overflow-x: auto; flex: 1; scrollbar-width: none; }
nav ul::-webkit-scrollbar { display: none; }
nav a { color: var(--soft); text-decoration: none; font-size: 13.5px; white-space: nowrap; } nav a:hover { color: var(--ink); text-decoration: underline; }
nav .brand { font-weight: 650; color: var(--ink); letter-spacing: .01em; }
#theme { font: inherit; font-size: 14px; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 7px;
  padding: 4px 11px; cursor: pointer; white-space: nowrap; } #theme:hover { border-color: var(--soft); }

.top { padding: 44px 0 8px; }
.kicker { margin: 0 0 6px; font-size: 13px; letter-spacing: .08em; text-transform: uppercase; color: var(--soft); }
h1 { font-size: clamp(26px, 4vw, 38px); line-height: 1.18; letter-spacing: -.015em; margin: 0 0 14px; text-wrap: balance; }
h2 { font-size: 22px; line-height: 1.25; letter-spacing: -.008em; margin: 0 0 6px; }
h3 { font-size: 15px; margin: 18px 0 8px; }
.verdict { font-size: clamp(17px, 2vw, 20px); line-height: 1.5; margin: 0 0 12px; max-width: 46em; }
.grade { display: inline-block; font-size: 14px; font-weight: 600; padding: 1px 11px; border-radius: 99px; white-space: nowrap; margin-left: 4px; }
.grade.close, .grade.exact { background: var(--close); color: var(--close-ink); } .grade.partly, .grade.far, .grade.none, .grade.void { background: var(--warn-bg); color: var(--warn); }
.certainty { margin: 0 0 12px; max-width: 52em; color: var(--soft); }
.remark { margin: 0 0 10px; padding-left: 12px; border-left: 3px solid var(--warn); max-width: 52em; }
.meta { color: var(--soft); font-size: 14px; margin: 0 0 22px; } .meta span { white-space: nowrap; } .meta span + span::before { content: '·'; margin: 0 8px; }
.tiles { display: grid; grid-template-columns: repeat(5, 1fr); gap: 12px; margin: 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 13px 16px 12px; box-shadow: var(--shadow);
  display: flex; flex-direction: column; justify-content: space-between; }
.tile dt { font-size: 13px; line-height: 1.35; color: var(--soft); } .tile dd { margin: 6px 0 0; }
.tile b { display: block; font-size: 25px; line-height: 1.2; font-weight: 620; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.tile b small { font-size: 15px; font-weight: 500; color: var(--soft); } .tile b.words { font-size: 17px; letter-spacing: 0; } .tile span { font-size: 13px; color: var(--soft); }

section { margin-top: 34px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 26px 28px 28px;
  box-shadow: var(--shadow); scroll-margin-top: 60px; min-width: 0; }
.lead { margin: 0 0 18px; color: var(--soft); max-width: 74ch; font-size: 15px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 550; } thead th { color: var(--soft); font-weight: 550; font-size: 13.5px; vertical-align: bottom; padding: 6px 10px; border-bottom: 1px solid var(--line); }
tbody td, tbody th { padding: 8px 10px; border-bottom: 1px solid var(--line); vertical-align: top; line-height: 1.35; }
tbody tr:last-child > * { border-bottom: 0; }
.num { text-align: right; white-space: nowrap; }
td small, tbody th small { display: block; font-size: 12.5px; color: var(--soft); font-weight: 400; }
td i { font-style: normal; font-weight: 400; font-size: 12px; color: var(--soft); } .main td i { display: block; } .strong { font-weight: 620; }
tbody th { overflow-wrap: anywhere; min-width: 110px; } .main tbody th { min-width: 150px; } .main .name { margin-right: 6px; }
.main td { border-left: 2px solid var(--card); } .main tr.retrain > * { border-bottom: 2px solid var(--soft); }
.main tr.control td, .main tr.control th, .main tr.control i { color: var(--soft); } .main tr.control th, .main tr.control td { font-weight: 400; } .main tr.control th { padding-left: 26px; }
.words { font-size: 12.5px; white-space: normal; } td .words { display: inline-block; max-width: 84px; color: var(--soft); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.note { margin: 12px 0 0; font-size: 13.5px; color: var(--soft); max-width: 84ch; }
.g0 { background: var(--g0); } .g1 { background: var(--g1); } .g2 { background: var(--g2); } .g3 { background: var(--g3); }
.g0 small, .g1 small, .g2 small, .g3 small, .g0 i, .g1 i, .g2 i, .g3 i { color: inherit; opacity: .82; }
.tag { display: inline-block; font-size: 11.5px; font-weight: 600; line-height: 1.5; padding: 0 7px; border-radius: 99px; background: var(--faint); color: var(--soft); white-space: nowrap; margin-right: 4px; }
.tag.ref { background: var(--close); color: var(--close-ink); } .tag.warn { background: var(--warn-bg); color: var(--warn); }
.legend { display: flex; flex-wrap: wrap; gap: 6px; margin: 14px 0 0; font-size: 12.5px; } .key { padding: 2px 10px; border-radius: 5px; }
.tools { display: flex; flex-wrap: wrap; align-items: end; gap: 8px 14px; margin: 0 0 6px; font-size: 13.5px; color: var(--soft); }
.tools[hidden] { display: none; } .tools input, .tools select, .tools button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--soft); border-radius: 7px; padding: 4px 8px; margin-left: 4px; max-width: 190px; }
.tools input { width: 130px; } .tools button { cursor: pointer; margin: 0; } .note.choose { margin: 0 0 12px; }
.sort { font: inherit; font-size: 11px; line-height: 1; color: var(--soft); background: none; border: 0; padding: 4px 3px; margin-left: 1px; cursor: pointer; } .sort:hover, th[aria-sort=ascending] .sort, th[aria-sort=descending] .sort { color: var(--ink); }
.tick { margin: 0 7px 0 0; width: 15px; height: 15px; vertical-align: -2px; accent-color: var(--accent); } .main tr.shown th { box-shadow: inset 3px 0 var(--accent); } .main tr.method { cursor: pointer; } .main tr.method:hover th { background: var(--faint); }
.main th:first-child { position: sticky; left: 0; z-index: 2; background: var(--card); } [hidden] { display: none !important; }
.outcome p { margin: 0 0 3px; } .outcome.void { color: var(--soft); } .outcomes .num { white-space: nowrap; }
.attacked td.worst { padding-bottom: 4px; } .worst ol { display: flex; flex-wrap: wrap; gap: 6px 10px; list-style: none; margin: 0; padding: 0; } .worst li { display: flex; align-items: center; gap: 6px; background: var(--faint); border-radius: 6px; padding: 3px 8px; font-size: 13px; } .worst img { width: 40px; height: 40px; border-radius: 5px; image-rendering: pixelated; } .worst li small { line-height: 1.25; }
.term { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: help; text-decoration: underline dotted; text-underline-offset: 4px; }
.def { max-width: min(340px, calc(100vw - 24px)); margin: 0; inset: auto; padding: 12px 15px; background: var(--ink); color: var(--page); border: 0; border-radius: 9px;
  font-size: 13.5px; font-weight: 400; line-height: 1.45; text-align: left; white-space: normal; box-shadow: 0 8px 28px rgb(0 0 0 / .28); }
.def > * { display: block; } .def > * + * { margin-top: 5px; } .def small { opacity: .75; font-size: 12px; }
abbr { text-decoration: none; cursor: help; }

.canvas { position: relative; width: 100%; }
.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(232px, 1fr)); gap: 22px 26px; }
figure { margin: 0; min-width: 0; } figcaption { font-weight: 580; font-size: 14.5px; margin-bottom: 4px; }
.panels.charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr)); gap: 26px 30px; } .panels.clouds { grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); }
.cloud { width: 100%; aspect-ratio: 1; display: block; border: 1px solid var(--line); border-radius: 8px; }
.facts.told { margin-top: 10px; } .facts.told dd { text-align: left; flex: 1; } .facts.told dt { width: 110px; } .copies .copy { position: static; }
.panels.entropies { grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 26px 30px; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 10px; fill: var(--soft); }
.guide { fill: none; stroke: var(--ink); stroke-width: 1; opacity: .75; } .axis, [id^=of-] { vector-effect: non-scaling-stroke; } .axis { stroke: var(--line); stroke-width: 1; } .bar.forget { fill: var(--forget); } .bar.retain { fill: var(--retain); } .bar.test { fill: var(--test); }

.heat td { overflow-wrap: normal; white-space: nowrap; text-align: center; padding: 6px 2px; border: 1px solid var(--card); min-width: 34px;
  background: color-mix(in srgb, var(--heat) calc(var(--v, 0) * 100%), var(--faint)); }
/* One text colour on every shade: the darkest shade still gives it a contrast of 4.5. */
.heat thead th, .heat thead td { border: 0; background: none; text-align: center; }
.heat thead th:first-child { text-align: left; } .heat tbody th { border: 0; padding-left: 0; white-space: nowrap; padding-right: 10px; }
.heat.wide { table-layout: fixed; min-width: calc(178px + var(--k) * 46px); } .heat.wide th:first-child { width: 178px; } .heat.wide td, .heat.wide th { vertical-align: middle; } .heat.wide tbody th { white-space: normal; } .heat.wide thead th span { display: block; max-height: 8em; overflow: hidden; text-overflow: ellipsis; }
.heat.wide thead th { padding: 6px 2px; font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; } .heat.wide thead th:first-child { padding-left: 0; }
.heat.byclass { max-width: calc(178px + var(--k) * 104px); } .heat .own { color: var(--forget); } .zero { color: var(--soft); } .coarse { display: none; } .heat.wide tr.retrain > * { border-bottom: 2px solid var(--soft); }
.panels.matrices { grid-template-columns: repeat(auto-fill, minmax(400px, 1fr)); } .heat.square { font-size: 11px; table-layout: fixed; }
.heat.square td { padding: 0; height: 25px; min-width: 0; vertical-align: middle; } .heat.square tbody th { padding: 0 6px 0 0; font-size: 11.5px; text-align: right; vertical-align: middle; min-width: 0; overflow-wrap: normal; overflow: hidden; text-overflow: ellipsis; }
.heat.square thead th { padding: 0 0 4px; height: 76px; } .heat.square thead th:first-child, .heat.square thead td { width: 76px; }
.heat.square thead th span { writing-mode: vertical-rl; transform: rotate(180deg); font-size: 11.5px; white-space: nowrap; max-height: 74px; overflow: hidden; } .heat td.diagonal { outline: 1px solid var(--soft); outline-offset: -1px; }
.pairs { margin: 0; padding-left: 20px; font-size: 14px; }

.samples th[scope=row] { min-width: 196px; white-space: nowrap; } .samples th[scope=row] > * { display: inline-block; vertical-align: middle; }
.samples { font-size: 13.5px; } .samples td, .samples th { vertical-align: middle; padding: 8px 6px; } .samples th:first-child { position: sticky; left: 0; background: var(--card); z-index: 1; padding-left: 0; } .samples img, .noimage { width: 50px; height: 50px; border-radius: 6px; margin-right: 9px; image-rendering: pixelated; background: var(--faint); }
.samples td { min-width: 86px; overflow-wrap: anywhere; } .samples th[scope=row] > span { max-width: 130px; white-space: normal; } .samples thead th { overflow-wrap: anywhere; min-width: 70px; } .samples .differs { color: var(--warn); font-weight: 600; } .samples tr.forget + tr.retain > * { border-top: 2px solid var(--soft); }

#judging td.bad { color: var(--warn); font-weight: 620; } #judging tbody th { min-width: 132px; overflow-wrap: break-word; }
.trials { font-size: 13.5px; } .trials tr.chosen > * { font-weight: 620; background: var(--faint); } .trials td, .trials th { padding: 6px 8px; } .trials tbody th { min-width: 74px; white-space: nowrap; } .trials .failed { white-space: normal; color: var(--soft); }

.looks { --h: 92px; display: flex; gap: 14px; margin-bottom: 16px; } .looks figure { flex: none; width: 72px; } .looks figcaption, .looks ol { font-size: 12.5px; line-height: 1.25; } .looks figcaption { height: 34px; margin: 0; overflow: hidden; display: flex; align-items: end; padding-bottom: 4px; }
.looks ol { flex: none; width: 168px; list-style: none; margin: 0; padding: 34px 0 0; position: sticky; left: 0; background: var(--card); } .looks li { display: flex; gap: 9px; height: var(--h); } .looks li span { width: 86px; padding-top: 2px; overflow-wrap: anywhere; } .looks small, .corners small, .planes small { display: block; font-size: 12px; color: var(--soft); }
.looks img { width: 72px; height: 72px; image-rendering: pixelated; flex: none; } .looks canvas { display: block; width: 72px; height: calc(var(--h) * var(--n)); } table.narrow { width: auto; font-size: 13.5px; } .narrow thead th { white-space: normal; max-width: 110px; } .narrow tbody th { min-width: 0; }
.corners, .swatches { display: flex; flex-wrap: wrap; gap: 8px 22px; list-style: none; margin: 0 0 12px; padding: 0; font-size: 13.5px; line-height: 1.3; } .corners li, .swatches li { display: flex; align-items: center; gap: 8px; } .corners img { width: 40px; height: 40px; border-radius: 5px; image-rendering: pixelated; } .swatches i { width: 13px; height: 13px; border-radius: 3px; }

.limits { margin: 0 0 12px; padding-left: 20px; max-width: 80ch; } .limits li { margin: 5px 0; }
details { margin-top: 16px; } summary { cursor: pointer; font-weight: 550; font-size: 15px; } details[open] > summary { margin-bottom: 8px; } details table { width: auto; min-width: 50%; } details p { max-width: 74ch; margin: 0; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 40px; } .two h3 { margin-top: 0; }
.facts { margin: 0; font-size: 14.5px; } .facts div { display: flex; gap: 16px; justify-content: space-between; padding: 5px 0; border-bottom: 1px solid var(--line); }
.facts dt { color: var(--soft); flex: none; } .facts dd { margin: 0; text-align: right; min-width: 0; overflow-wrap: anywhere; }
.facts.hashes dd { text-align: left; flex: 1; } .facts.hashes dt { width: 130px; }
pre { background: var(--faint); border-radius: 8px; padding: 13px 16px; margin: 0; overflow-x: auto; font-size: 13.5px; line-height: 1.5; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; font-size: .94em; }
.command { white-space: pre-wrap; overflow-wrap: anywhere; }
.copied { position: relative; } .copied pre { padding-right: 90px; }
.copy { position: absolute; top: 7px; right: 7px; font: inherit; font-size: 13px; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 3px 10px; cursor: pointer; } .copy:hover { border-color: var(--soft); }
.glossary { margin: 12px 0 0; display: grid; grid-template-columns: 1fr 1fr; gap: 16px 40px; font-size: 14.5px; } .glossary dt { font-weight: 620; } .glossary dt small { font-weight: 400; color: var(--soft); } .glossary dd { margin: 2px 0 0; } .glossary dd small { color: var(--soft); }
footer { margin-top: 28px; color: var(--soft); font-size: 13.5px; }

@media (max-width: 1000px) { .tiles { gap: 8px; } .tile { padding: 11px 12px; }
  .main tbody td, .main thead th { padding: 8px 7px; } .main tbody th { min-width: 118px; } .main th:first-child { padding-left: 0; } }
@media (max-width: 900px) { .heat.wide thead th:not(:first-child) span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; font-size: 12px; }
  section { padding: 22px 18px; } .main { font-size: 13px; } .main td small { white-space: normal; } .main tbody td, .main thead th { padding: 8px 4px; font-size: 13px; } .main tbody th { min-width: 90px; } .main td small, .main td i { font-size: 11.5px; } }
@media (max-width: 720px) {
  main { padding: 0 14px 40px; } nav > div { padding: 0 14px; gap: 14px; } nav .brand { display: none; }
  .top { padding-top: 28px; } section { padding: 20px 16px; margin-top: 18px; border-radius: 10px; }
  .tiles { grid-template-columns: 1fr 1fr; gap: 9px; } .tile { padding: 11px 13px; } .tile:last-child:nth-child(odd) { grid-column: 1 / -1; }
  .two, .glossary { grid-template-columns: 1fr; } .panels { gap: 18px; grid-template-columns: 1fr 1fr; } .panels.entropies { gap: 18px; grid-template-columns: 1fr 1fr; } .panels.clouds { grid-template-columns: 1fr 1fr; gap: 14px; } .panels.matrices { grid-template-columns: 1fr; } svg text { font-size: 15.5px; }
  .heat.wide { min-width: calc(98px + var(--k) * 23px); font-size: 11.5px; } .heat.wide td { padding: 6px 0; } .fine { display: none; } .coarse { display: inline; } .heat.wide th:first-child { width: 98px; white-space: normal; line-height: 1.2; padding: 4px 4px 4px 0; font-size: 12.5px; }
  .heat.byclass { min-width: calc(98px + var(--k) * 32px); }
  .narrow thead th, .narrow th, .narrow td { padding: 6px 2px; font-size: 11.5px; } .looks { --h: 106px; gap: 10px; } .looks ol { width: 72px; } .looks li { display: block; position: relative; } .looks li span { position: absolute; inset: 72px 0 auto; width: 72px; padding: 1px 0 0; overflow: hidden; } .looks li b { font-size: 11.5px; white-space: nowrap; } .looks li small span { display: none; }
  .facts.hashes div { display: block; }
  .stack thead { display: none; }
  .stack, .stack tbody { display: block; } .stack tr { display: grid; grid-template-columns: repeat(4, 1fr); padding: 13px 0; border-bottom: 1px solid var(--line); gap: 3px; }
  .stack tr:last-child { border-bottom: 0; } .stack tr > *, .stack tr.retrain > *, .samples.stack tr.forget + tr.retrain > * { border: 0; } .stack tr.retrain { border-bottom: 2px solid var(--soft); }
  .stack th[scope=row] { grid-column: 1 / -1; padding: 0 0 5px; } .stack td { text-align: left; padding: 5px 7px; border-radius: 6px; white-space: normal; min-width: 0; }
  .stack td::before { content: attr(data-label); display: block; font-size: 12px; color: var(--soft); font-weight: 400; } .stack td[class*=g]::before { color: inherit; opacity: .8; }
  .main.stack th small { display: inline; margin-left: 4px; }
  .stack td.worst, .stack td.outcome { grid-column: 1 / -1; } .attacked.stack td.num, .outcomes.stack td.num { grid-column: span 2; }
  .samples.stack tr { grid-template-columns: repeat(3, 1fr); gap: 4px 6px; } .samples.stack td { background: var(--faint); }
  .samples.stack tr.forget + tr.retain { border-top: 2px solid var(--soft); }
}
@media print {
  :root, :root[data-theme] {${LIGHT}
    --page: #fff; --shadow: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav, .skip, .def, .copy, .tools, .choose, .tick, .sort, .copies { display: none !important; } :focus-visible { outline: none; } body { font-size: 11pt; } main { max-width: none; padding: 0; } .top { padding-top: 0; }
  section { border: 0; padding: 0; margin-top: 22px; box-shadow: none; } h2, .lead, h3, summary { break-after: avoid; } .tiles { grid-template-columns: repeat(5, 1fr); } figure, tr, .tile, .canvas { break-inside: avoid; }
  .scroll { overflow: visible; } table { font-size: 9pt; } tbody td, tbody th, thead th { padding: 4px 5px; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  .samples td { min-width: 0; } .samples img, .noimage { width: 36px; height: 36px; margin-right: 6px; } .samples th[scope=row] { min-width: 0; white-space: normal; }
  .main tbody th { min-width: 90px; } .looks { flex-wrap: wrap; } .looks ol { position: static; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
`;
