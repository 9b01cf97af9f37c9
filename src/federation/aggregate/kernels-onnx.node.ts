/**
 * Block arithmetic by ONNX Runtime: one Gemm, Y = A B or Y = A B^T. A hundred updates of ten million parameters have their Gram
 * matrix in about a second. Products are summed in single precision within a block, in double across blocks.
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { BlockKernels } from "./aggregate.js";

/** Kernels on ONNX Runtime's CPU provider; for float32 rows. */
export async function onnxKernels(): Promise<BlockKernels> {
  // Threads that spin while they wait steal the time of whoever else computes on the machine.
  const options = { logSeverityLevel: 3, extra: { session: { intra_op: { allow_spinning: "0" } } } } as const;
  const product = await InferenceSession.create(gemmModel({ transposeB: false }), options);
  const outer = await InferenceSession.create(gemmModel({ transposeB: true }), options);
  return {
    async combine(weights, block, out) {
      const A = new Tensor("float32", Float32Array.from(weights.data), [weights.rows, weights.cols]);
      const B = new Tensor("float32", block as Float32Array, [weights.cols, block.length / weights.cols]);
      const { Y } = await product.run({ A, B });
      out.set(Y.data as Float32Array);
    },
    async gram(block, gram) {
      const X = new Tensor("float32", block as Float32Array, [gram.rows, block.length / gram.rows]);
      const { Y } = await outer.run({ A: X, B: X });
      const values = Y.data as Float32Array;
      for (let i = 0; i < values.length; i++) gram.data[i] += values[i];
    },
  };
}

/** The bytes of a model with one Gemm node (onnx.proto3: ModelProto > GraphProto > NodeProto). */
function gemmModel({ transposeB }: { transposeB: boolean }): Uint8Array {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...varint(n >>> 7)]);
  const integer = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)];
  const bytes = (field: number, value: readonly number[]): number[] => [
    (field << 3) | 2,
    ...varint(value.length),
    ...value,
  ];
  const text = (field: number, value: string): number[] => bytes(field, [...new TextEncoder().encode(value)]);
  const attribute = [...text(1, "transB"), ...integer(3, transposeB ? 1 : 0), ...integer(20, 2)];
  const node = [...text(1, "A"), ...text(1, "B"), ...text(2, "Y"), ...text(4, "Gemm"), ...bytes(5, attribute)];
  // ValueInfoProto: name, TypeProto.tensor_type { FLOAT, shape of two unnamed dimensions }
  const value = (name: string): number[] => [
    ...text(1, name),
    ...bytes(2, bytes(1, [...integer(1, 1), ...bytes(2, [...bytes(1, []), ...bytes(1, [])])])),
  ];
  const graph = [
    ...bytes(1, node),
    ...text(2, "gemm"),
    ...bytes(11, value("A")),
    ...bytes(11, value("B")),
    ...bytes(12, value("Y")),
  ];
  return Uint8Array.from([...integer(1, 8), ...bytes(7, graph), ...bytes(8, integer(2, 13))]);
}
