/** The package has no types of its own; this is what `packing/image.ts` uses of it. */
declare module "@cornerstonejs/codec-openjpeg/decodewasmjs" {
  interface Decoder {
    getEncodedBuffer(length: number): Uint8Array;
    getDecodedBuffer(): Uint8Array;
    getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned: boolean };
    decode(): void;
    delete(): void;
  }
  const load: (options: { print(text: string): void; printErr(text: string): void }) => Promise<{
    J2KDecoder: new () => Decoder;
  }>;
  export default load;
}
