// Draws a stream with xterm.js and prints what is on the screen, as JSON.
// stdin: {"cols", "rows", "steps": [{"data": base64} | {"cols", "rows"}]}
import headless from "@xterm/headless";
import { readFileSync } from "node:fs";

const asked = JSON.parse(readFileSync(0, "utf8"));
const terminal = new headless.Terminal({
  cols: asked.cols,
  rows: asked.rows,
  scrollback: 0,
  allowProposedApi: true,
});
let title = null;
terminal.onTitleChange((words) => { title = words; });

for (const step of asked.steps) {
  if (step.data !== undefined) {
    await new Promise((done) => terminal.write(Buffer.from(step.data, "base64"), done));
  } else {
    terminal.resize(step.cols, step.rows);
  }
}

const buffer = terminal.buffer.active;
const lines = [];
const looks = [];
for (let row = 0; row < terminal.rows; row += 1) {
  const line = buffer.getLine(buffer.baseY + row);
  lines.push(line.translateToString(true).trimEnd());
  const row_looks = [];
  for (let col = 0; col < terminal.cols; col += 1) {
    const cell = line.getCell(col);
    // The second half of a wide character looks like the first.
    row_looks.push(cell.getWidth() === 0 ? row_looks[col - 1] : look(cell));
  }
  looks.push(row_looks);
}
process.stdout.write(JSON.stringify({
  lines,
  looks,
  cursor: [buffer.cursorY, Math.min(buffer.cursorX, terminal.cols - 1)],
  alternate: buffer.type === "alternate",
  title,
}));

// One word for how a cell looks: colours, then a letter for each attribute.
function look(cell) {
  const tint = (rgb, palette, value) => {
    if (rgb) return `#${value.toString(16).padStart(6, "0")}`;
    return palette ? String(value) : "-";
  };
  // A blank has no ink: what would change only that does not show.
  const ink = cell.getChars().trim() !== "";
  const letters = [
    [ink && cell.isBold(), "b"], [ink && cell.isDim(), "f"], [ink && cell.isItalic(), "i"],
    [cell.isUnderline(), "u"], [ink && cell.isBlink(), "k"], [cell.isInverse(), "r"],
    [cell.isStrikethrough(), "s"],
  ].filter(([on]) => on).map(([, letter]) => letter).join("");
  const foreground = ink || cell.isInverse()
    ? tint(cell.isFgRGB(), cell.isFgPalette(), cell.getFgColor()) : "-";
  const background = tint(cell.isBgRGB(), cell.isBgPalette(), cell.getBgColor());
  return `${foreground}/${background}/${letters}`;
}
