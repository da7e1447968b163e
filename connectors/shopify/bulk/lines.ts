/**
 * Reassembles objects from the lines of a bulk result. Each line is one object; a child names its parent by
 * `__parentId` and follows it, before the next root object begins (`groupObjects`).
 */
import { coded } from '#runtime/errors.ts';
import { isObject } from '../../kit/fields.ts';
import { ANSWER_BYTES_MAX } from '../../kit/http/http.ts';
import type { Node, Shape } from '../sync/collection.ts';

const NEWLINE = 10;
/** A line is one object; a longer line is not valid, and is not kept in memory. */
const LINE_BYTES_MAX = ANSWER_BYTES_MAX;

/** A line that is not a JSON object: the file is damaged or cut. */
export class LineDamaged extends Error {}

/** Children came without their parent: the result is not grouped, so no object is known to be complete. */
export class BulkUngrouped extends coded('NS_BULK_UNGROUPED') {
  constructor(child: string, parent: string) {
    super(`A bulk result of Shopify is not grouped: ${child} came away from its parent ${parent}.`, {
      hint: 'Nothing to do: the objects are read again page by page.',
      context: { child, parent },
    });
  }
}

/** A root object with all its children. `end` is the file offset behind its last line. */
export type Group = { node: Node; lines: number; end: number };

export type Grouper = {
  /** Takes a line; returns the object that it completes, which is the previous one. */
  take(text: string, end: number): Group | undefined;
  /** The last object, which the end of the file completes. */
  last(): Group | undefined;
};

export function makeGrouper(shape: Shape): Grouper {
  let current: Group | undefined;
  const parents = new Map<unknown, { node: Node; shape: Shape }>();

  const open = (node: Node, children: Shape, ids: readonly unknown[]) => {
    for (const { list } of children) node[list] = [];
    for (const id of ids) parents.set(id, { node, shape: children });
  };

  const attach = (child: Node, parentId: unknown) => {
    const parent = parents.get(parentId);
    const id = String(child.id);
    const branch = parent?.shape.find(
      ({ type }) => type === undefined || id.startsWith(`gid://shopify/${type}/`),
    );
    if (!parent || !branch) throw new BulkUngrouped(id, String(parentId));
    (parent.node[branch.list] as Node[]).push(child);
    if (branch.children) open(child, branch.children, branch.ids?.(child) ?? [child.id]);
  };

  return {
    take(text, end) {
      const line = parse(text);
      if (line.__parentId !== undefined) {
        attach(line, line.__parentId);
        if (current) {
          current.lines++;
          current.end = end;
        }
        return undefined;
      }
      const complete = current;
      parents.clear();
      open(line, shape, [line.id]);
      current = { node: line, lines: 1, end };
      return complete;
    },
    last: () => current,
  };
}

function parse(text: string): Node {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LineDamaged(`a line of ${text.length} characters is not JSON`);
  }
  if (!isObject(value)) throw new LineDamaged('a line is not an object');
  return value as Node;
}

/** Splits chunks of a file into lines, each with the offset behind it. */
export function lineCutter(offset: number, onLine: (text: string, end: number) => void) {
  let rest: Buffer[] = []; // joined when the line is complete, so that a long line is copied once
  let restBytes = 0;
  let end = offset;
  const emit = (bytes: Buffer, from: number, to: number) => {
    if (to > from) onLine(bytes.toString('utf8', from, to), end);
  };
  return {
    push(piece: Buffer) {
      let bytes = piece;
      let from = 0;
      let to = piece.indexOf(NEWLINE);
      if (to !== -1 && restBytes > 0) {
        bytes = Buffer.concat([...rest, piece]);
        to += restBytes;
        [rest, restBytes] = [[], 0];
      }
      for (; to !== -1; to = bytes.indexOf(NEWLINE, from)) {
        end += to + 1 - from;
        emit(bytes, from, to);
        from = to + 1;
      }
      if (from < bytes.length) rest.push(bytes.subarray(from));
      restBytes += bytes.length - from;
      if (restBytes > LINE_BYTES_MAX) throw new LineDamaged(`a line is longer than ${LINE_BYTES_MAX} bytes`);
    },
    /** The last line may lack a line end. */
    finish() {
      end += restBytes;
      emit(Buffer.concat(rest), 0, restBytes);
      [rest, restBytes] = [[], 0];
    },
  };
}
