import { FoehnError } from "../../../errors.js";

/** A codestream that breaks the standard, or uses a part of it that is not read. Callers add what it belongs to. */
export class Jpeg2000Error extends FoehnError {}
