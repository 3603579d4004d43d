// The Node-API surface: translates between JavaScript values and runtime.h. Buffers and programs are plain numbers here;
// native/backend.ts wraps them and checks their use. What an argument may be is checked in arguments.h, how a result
// finds its way back is in promises.h.
#include <algorithm>
#include <limits>

#include "microkernels/peak.h"
#include "runtime/arguments.h"
#include "runtime/isa.h"
#include "runtime/promises.h"
#include "runtime/runtime.h"

namespace lethe {
namespace {

class Addon : public Napi::ObjectWrap<Addon> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Runtime", {
        method<&Addon::allocate>("allocate"), method<&Addon::write>("write"), method<&Addon::read>("read"),
        method<&Addon::release>("free"), method<&Addon::compile>("compile"), method<&Addon::dispose>("dispose"),
        method<&Addon::run>("run"), method<&Addon::sync>("sync"), method<&Addon::memory>("memory"),
        method<&Addon::ceilings>("ceilings"), method<&Addon::startProfile>("startProfile"),
        method<&Addon::stopProfile>("stopProfile"), InstanceMethod("close", &Addon::close),
    });
  }

  explicit Addon(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Addon>(info) {
    guarded(info.Env(), [&] {
      const int threads = static_cast<int>(whole(info[0], 1, 1024, "the number of threads"));
      arrayBuffer_ = Napi::Persistent(info.Env().Global().Get("ArrayBuffer").As<Napi::Function>());
      promises_ = std::make_unique<Promises>(info.Env());
      runtime_ = std::make_unique<Runtime>(threads);
      // Hooks run in reverse order, so this one before that of the promises' way back: the queue must end first.
      napi_add_env_cleanup_hook(info.Env(), leave, this);
    });
  }
  ~Addon() override {
    if (runtime_) stop();
  }

 private:
  using Method = Napi::Value (Addon::*)(const Napi::CallbackInfo&);
  template <Method m> Napi::Value checked(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&] {
      require(runtime_ != nullptr, "the backend is closed");
      return (this->*m)(info);
    });
  }
  template <Method m> static PropertyDescriptor method(const char* name) { return InstanceMethod(name, &Addon::checked<m>); }

  void stop() {
    napi_remove_env_cleanup_hook(Env(), leave, this);
    runtime_.reset();
    arrayBuffer_.Reset();
  }
  static void leave(void* self) {
    static_cast<Addon*>(self)->stop();
    static_cast<Addon*>(self)->promises_->end();
  }
  void close(const Napi::CallbackInfo& info) {
    if (!runtime_) return;
    guarded(info.Env(), [&] {
      stop();
      promises_->reject(info.Env(), "the backend was closed before this was done");
      promises_->end();
    });
  }

  // A promise for `value`, made when the queue comes to what `enqueue` put there. While it is pending, this object stays.
  template <class F> Napi::Value promise(const Napi::CallbackInfo& info, Promises::Value value, F&& enqueue) {
    auto self = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info.This().As<Napi::Object>()));
    return promises_->add(info.Env(), [self, value = std::move(value)](Napi::Env env) { return value(env); }, enqueue);
  }
  static Napi::Value nothing(Napi::Env env) { return env.Undefined(); }

  static uint32_t id(const Napi::Value& v) {
    return static_cast<uint32_t>(whole(v, 0, std::numeric_limits<uint32_t>::max(), "the number of a buffer or program"));
  }

  Napi::Value allocate(const Napi::CallbackInfo& info) {
    const int64_t bytes = whole(info[0], 0, kLargestWhole, "the size of a buffer");
    return Napi::Number::New(info.Env(), runtime_->allocate(static_cast<size_t>(bytes)));
  }
  Napi::Value write(const Napi::CallbackInfo& info) {
    const Elements data = elements(info[1], "the data");
    runtime_->write(id(info[0]), data.data, data.bytes);
    return info.Env().Undefined();
  }
  // read(buffer, bytes): resolves to an ArrayBuffer. It is made here, so that nobody can take or shrink its memory while
  // the queue's thread writes there; by JavaScript's own constructor, because that throws where there is no memory.
  Napi::Value read(const Napi::CallbackInfo& info) {
    const uint32_t buffer = id(info[0]);
    const int64_t bytes = whole(info[1], 0, static_cast<int64_t>(runtime_->sizeOf(buffer)), "the number of bytes to read");
    auto into = arrayBuffer_.New({Napi::Number::New(info.Env(), static_cast<double>(bytes))}).As<Napi::ArrayBuffer>();
    void* const to = into.Data();
    auto keep = std::make_shared<Napi::Reference<Napi::ArrayBuffer>>(Napi::Persistent(into));
    return promise(info, [keep](Napi::Env) { return keep->Value(); }, [&](Promises::Done done) {
      runtime_->read(buffer, to, static_cast<size_t>(bytes), std::move(done));
    });
  }
  Napi::Value release(const Napi::CallbackInfo& info) {
    runtime_->free(id(info[0]));
    return info.Env().Undefined();
  }
  Napi::Value compile(const Napi::CallbackInfo& info) {
    const std::string label = text(info[0], "a program's label");
    const Elements words = elements(info[1], napi_float64_array, "a program's description", "Float64Array");
    return Napi::Number::New(info.Env(), runtime_->compile(label, static_cast<const double*>(words.data), words.count));
  }
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    runtime_->dispose(id(info[0]));
    return info.Env().Undefined();
  }
  // run(program, buffers: Uint32Array, count)
  Napi::Value run(const Napi::CallbackInfo& info) {
    const Elements ids = elements(info[1], napi_uint32_array, "a program's buffers", "Uint32Array");
    const int64_t count = whole(info[2], 0, static_cast<int64_t>(ids.count), "the number of a program's buffers");
    runtime_->run(id(info[0]), static_cast<const uint32_t*>(ids.data), static_cast<size_t>(count));
    return info.Env().Undefined();
  }
  Napi::Value sync(const Napi::CallbackInfo& info) {
    return promise(info, nothing, [&](Promises::Done done) { runtime_->queue().notify(std::move(done), true); });
  }
  Napi::Value ceilings(const Napi::CallbackInfo& info) {
    auto found = std::make_shared<Ceilings>();
    auto value = [found](Napi::Env env) -> Napi::Value {
      Napi::Object o = Napi::Object::New(env);
      o.Set("gflops", found->gflops);
      o.Set("triadGBs", found->triadGBs);
      o.Set("pingPongNs", found->pingPongNs);
      return o;
    };
    return promise(info, value, [&](Promises::Done done) {
      runtime_->queue().push([found](Pool& pool) {
        pool.wake();
        *found = measureCeilings(pool);
      });
      runtime_->queue().notify(std::move(done), false);
    });
  }
  Napi::Value startProfile(const Napi::CallbackInfo& info) {
    runtime_->startProfile();
    return info.Env().Undefined();
  }
  // Resolves to a Float64Array: when each kernel began and ended, in seconds.
  Napi::Value stopProfile(const Napi::CallbackInfo& info) {
    auto value = [profile = runtime_->stopProfile()](Napi::Env env) -> Napi::Value {
      Napi::Float64Array a = Napi::Float64Array::New(env, profile->times.size());
      std::copy(profile->times.begin(), profile->times.end(), a.Data());
      return a;
    };
    return promise(info, value, [&](Promises::Done done) { runtime_->queue().notify(std::move(done), false); });
  }
  Napi::Value memory(const Napi::CallbackInfo& info) {
    Napi::Object o = Napi::Object::New(info.Env());
    o.Set("buffers", static_cast<double>(runtime_->buffers()));
    o.Set("bytes", static_cast<double>(runtime_->bytes()));
    o.Set("pooled", static_cast<double>(runtime_->pooledBytes()));
    return o;
  }

  Napi::FunctionReference arrayBuffer_;
  std::unique_ptr<Promises> promises_;
  std::unique_ptr<Runtime> runtime_;  // last: its queue's thread sends to the promises
};

// The names of what this machine has, the best first.
Napi::Value instructionSets(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (Isa one : kIsas)
    if (isaSupported(one)) names[names.Length()] = isaName(one);
  return names;
}
Napi::Value instructionSet(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), isaName(isa())); }
// useInstructionSet(name): for the whole process, and only while no Runtime is open in it.
Napi::Value useInstructionSet(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string name = text(info[0], "the name of an instruction set");
    for (Isa one : kIsas)
      if (name == isaName(one)) return Napi::Boolean::New(info.Env(), useIsa(one));
    return Napi::Boolean::New(info.Env(), false);
  });
}

// describe(program): how its kernels would go about it, in words.
Napi::Value describe(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Elements words = elements(info[0], napi_float64_array, "a program's description", "Float64Array");
    const Program program(decode("", static_cast<const double*>(words.data), words.count), 1);
    return Napi::String::New(info.Env(), program.describe());
  });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Runtime", Addon::define(env));
  exports.Set("instructionSet", Napi::Function::New(env, instructionSet));
  exports.Set("instructionSets", Napi::Function::New(env, instructionSets));
  exports.Set("useInstructionSet", Napi::Function::New(env, useInstructionSet));
  exports.Set("describe", Napi::Function::New(env, describe));
  return exports;
}

}  // namespace
}  // namespace lethe

static Napi::Object init(Napi::Env env, Napi::Object exports) { return lethe::init(env, exports); }
NODE_API_MODULE(lethe, init)
