/** A strict reader of small XML documents: what is not well-formed throws, so that a file which a bank would refuse is noticed. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

const named: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

export function readXml(text: string): Element {
  const declared = text.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, "");
  if (declared === text) throw new Error("no XML declaration");
  const reader = new Reader(declared);
  const root = reader.element();
  reader.end();
  return root;
}

/** The elements below at a path such as `PmtInf/Dbtr/Nm`. */
export function at(element: Element, path: string): Element[] {
  return path
    .split("/")
    .reduce<Element[]>(
      (found, name) => found.flatMap(({ children }) => children.filter((child) => child.name === name)),
      [element],
    );
}

export const textAt = (element: Element, path: string): string | undefined => at(element, path)[0]?.text;

class Reader {
  private position = 0;

  constructor(private readonly text: string) {}

  element(): Element {
    const [, name, given, closed] = this.take(/<([A-Za-z][\w.]*)((?:\s+[\w:]+="[^"<]*")*)\s*(\/?)>/y);
    const attributes = Object.fromEntries(
      [...given!.matchAll(/([\w:]+)="([^"]*)"/g)].map(([, key, value]) => [key!, plain(value!)]),
    );
    if (closed === "/") return { name: name!, attributes, children: [], text: "" };
    const children: Element[] = [];
    let text = "";
    for (;;) {
      text += plain(this.take(/[^<]*/y)[0]);
      if (this.text.startsWith("</", this.position)) break;
      children.push(this.element());
    }
    const [, end] = this.take(/<\/([A-Za-z][\w.]*)>/y);
    if (end !== name) throw new Error(`<${name}> ends as </${end}>`);
    return { name: name!, attributes, children, text: children.length > 0 ? text.trim() : text };
  }

  end(): void {
    if (this.text.slice(this.position).trim() !== "") throw new Error("text behind the root element");
  }

  private take(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (match === null)
      throw new Error(`not well-formed at ${JSON.stringify(this.text.slice(this.position, this.position + 40))}`);
    this.position = pattern.lastIndex;
    return match;
  }
}

function plain(text: string): string {
  if (/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(text))
    throw new Error("a character that XML cannot hold");
  return text.replace(/&(\w*);?/g, (whole, name: string) => {
    const character = whole.endsWith(";") ? named[name] : undefined;
    if (character === undefined) throw new Error(`${whole} is no reference`);
    return character;
  });
}
