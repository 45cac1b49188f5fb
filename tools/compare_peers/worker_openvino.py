"""An OpenVINO GenAI pipeline that takes turns: worker_openvino.py IR_FOLDER JSON_OF_PROPERTIES.

Orders and answers are those of `fathom bench-turns` (decode, prefill). With a third argument, a
prompt, it makes one token of that text instead and says how long loading took.
"""
import json
import sys
import time


def bytes_of_weights(folder):
    """Bytes of the constants that matrix products read, scales and zero points with them."""
    import openvino
    model = openvino.Core().read_model(folder + "/openvino_model.xml")
    unpacks = {"Convert", "Multiply", "Subtract", "Reshape", "Transpose", "Constant", "Unsqueeze"}
    found = {}

    def walk(node):
        if node.get_type_name() == "Constant":
            # Shapes and axes are constants too, and no weights.
            found[node.get_friendly_name()] = node.get_byte_size() if node.get_byte_size() > 64 \
                else 0
        elif node.get_type_name() in unpacks:
            for source in node.input_values():
                walk(source.get_node())
    for node in model.get_ops():
        if node.get_type_name() == "MatMul":
            walk(node.input_value(1).get_node())
    return sum(found.values())


class Turns:
    def __init__(self, folder, properties):
        import numpy
        import openvino
        import openvino_genai
        self.numpy, self.genai, self.openvino = numpy, openvino_genai, openvino
        self.pipe = openvino_genai.LLMPipeline(folder, "CPU", **properties)
        with open(folder + "/config.json", encoding="utf-8") as config:
            self.vocabulary = json.load(config)["vocab_size"]
        self.random = numpy.random.default_rng()

    def generate(self, context, count):
        """A new prompt each time; perf_metrics of the call."""
        ids = self.random.integers(1, self.vocabulary, size=(1, context), dtype=self.numpy.int64)
        mask = self.numpy.ones_like(ids)
        inputs = self.genai.TokenizedInputs(self.openvino.Tensor(ids), self.openvino.Tensor(mask))
        config = self.genai.GenerationConfig()
        config.max_new_tokens = count
        config.ignore_eos = True
        config.do_sample = False
        config.apply_chat_template = False
        return self.pipe.generate(inputs, config).perf_metrics

    def turn(self, what, context, seconds):
        tokens, spent, steps = 0, 0.0, 16
        while spent < seconds:
            count = 1 if what == "prefill" else steps + 1
            metrics = self.generate(context, count)
            if what == "prefill":
                spent += metrics.get_ttft().mean / 1e3
                tokens += context
            else:
                spent += metrics.get_tpot().mean * steps / 1e3
                tokens += steps
        return {"tokens": tokens, "seconds": spent}


def first_token(folder, properties, text):
    import openvino_genai
    start = time.perf_counter()
    pipe = openvino_genai.LLMPipeline(folder, "CPU", **properties)
    load_ms = 1000 * (time.perf_counter() - start)
    result = pipe.generate([text], max_new_tokens=1, ignore_eos=True, apply_chat_template=False)
    print(json.dumps({"load_ms": load_ms, "text": str(result.texts[0])}))


def main():
    folder, properties = sys.argv[1], json.loads(sys.argv[2])
    if len(sys.argv) > 3:
        first_token(folder, properties, sys.argv[3])
        return
    turns = Turns(folder, properties)
    turns.turn("decode", 16, 0.01)  # warms kernels and pages
    print(json.dumps({"ready": True, "weight_bytes": bytes_of_weights(folder)}), flush=True)
    for line in sys.stdin:
        what, context, seconds = line.split()
        print(json.dumps(turns.turn(what, int(context), float(seconds))), flush=True)


if __name__ == "__main__":
    main()
