// HTML as a tagged template that escapes what it is given. Nothing reaches the page unescaped except markup written in this
// folder's own templates and `raw`, which is for text this folder made itself.

/** Markup that is safe to insert as it is. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

type Value = Html | string | number | null | undefined | false | readonly Value[];

/** Template whose strings and numbers are escaped; Html and arrays of Html go in as they are; null, undefined, false vanish. */
export function html(parts: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(parts.reduce((out, part, i) => out + render(values[i - 1]) + part));
}

export function raw(text: string): Html {
  return new Html(text);
}

function render(value: Value): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(render).join('');
  return escapeHtml(String(value));
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and quoted attributes. */
export function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (sign) => ENTITIES[sign]);
}

/** Control characters (but tab and line feed) and overrides of writing direction become U+FFFD: they could fake what is read. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, (sign) =>
    sign === '\n' || sign === '\t' ? sign : '\ufffd',
  );
}

/** A name on one line: it cannot move the cursor, set colours or begin a line. */
export const oneLine = (text: string) => visible(text).replace(/\s+/g, ' ');

/** JSON for a <script type="application/json"> block: no character in it can end the block or start a tag. */
export function jsonBlock(value: unknown): Html {
  const shown = JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? visible(inner) : inner));
  const text = shown.replace(/[<>&\u2028\u2029]/g, (sign) => {
    return '\\u' + sign.charCodeAt(0).toString(16).padStart(4, '0');
  });
  return new Html(text);
}

/** The URI when it is a plain base64 PNG or JPEG, else null: no SVG, no remote address. */
export function imageUri(uri: unknown): string | null {
  if (typeof uri !== 'string') return null;
  return /^data:image\/(png|jpeg);base64,[A-Za-z0-9+/]+={0,2}$/.test(uri) ? uri : null;
}
