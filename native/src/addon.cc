// The N-API surface: translates between JavaScript values and runtime.h, and carries results back to JavaScript's
// thread. Buffers and programs are plain numbers here; native/backend.ts wraps them and checks their use.
#define NAPI_VERSION 8
#include <napi.h>

#include <algorithm>

#include "isa.h"
#include "peak.h"
#include "runtime.h"

namespace lethe {
namespace {

// Work whose result JavaScript waits for. While any is pending, the process stays alive.
struct Pending {
  Napi::Promise::Deferred deferred;
  Napi::ObjectReference keep;  // what the promise resolves to, or empty
  Failure failure;
  std::optional<Ceilings> ceilings;
  std::shared_ptr<Profile> profile;
};

class Addon : public Napi::ObjectWrap<Addon> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Runtime", {
        InstanceMethod("allocate", &Addon::allocate), InstanceMethod("write", &Addon::write),
        InstanceMethod("read", &Addon::read), InstanceMethod("free", &Addon::release),
        InstanceMethod("compile", &Addon::compile), InstanceMethod("dispose", &Addon::dispose),
        InstanceMethod("run", &Addon::run), InstanceMethod("sync", &Addon::sync),
        InstanceMethod("memory", &Addon::memory), InstanceMethod("ceilings", &Addon::ceilings),
        InstanceMethod("startProfile", &Addon::startProfile), InstanceMethod("stopProfile", &Addon::stopProfile),
        InstanceMethod("close", &Addon::close),
    });
  }

  explicit Addon(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Addon>(info) {
    const int threads = info[0].As<Napi::Number>().Int32Value();
    require(threads >= 1 && threads <= 1024, "the number of threads must be between 1 and 1024");
    runtime_ = std::make_unique<Runtime>(threads);
    back_ = Napi::ThreadSafeFunction::New(info.Env(), Napi::Function::New(info.Env(), [](const Napi::CallbackInfo&) {}), "lethe", 0, 1);
    back_.Unref(info.Env());
    // Added after the thread-safe function, so it runs before that one's own hook: the queue must end first.
    napi_add_env_cleanup_hook(info.Env(), stop, this);
  }
  ~Addon() override { shut(); }

 private:
  static void stop(void* self) { static_cast<Addon*>(self)->runtime_.reset(); }
  void shut() {
    if (closed_) return;
    closed_ = true;
    napi_remove_env_cleanup_hook(Env(), stop, this);
    runtime_.reset();
    back_.Release();
  }

  // C++ exceptions become JavaScript ones.
  template <class F> auto guarded(Napi::Env env, F&& f) {
    try {
      require(runtime_ != nullptr, "the backend is closed");
      return f();
    } catch (const Napi::Error&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw Napi::Error::New(env, "out of memory");
    } catch (const std::exception& e) {
      throw Napi::Error::New(env, e.what());
    }
  }

  // A pending result is made and deleted on JavaScript's thread only: it holds references into its heap.
  Pending* await(Napi::Env env, Napi::Object keep = {}) {
    auto* p = new Pending{Napi::Promise::Deferred::New(env), {}, {}, {}, {}};
    if (!keep.IsEmpty()) p->keep = Napi::Persistent(keep);
    if (pending_++ == 0) back_.Ref(env);
    return p;
  }
  void forget(Napi::Env env, Pending* p) {
    delete p;
    if (--pending_ == 0 && !closed_) back_.Unref(env);
  }
  // On the queue's thread: sends a pending result home.
  void deliver(Pending* p, const Failure& failure) {
    p->failure = failure;
    back_.NonBlockingCall(p, [this](Napi::Env env, Napi::Function, Pending* done) {
      settle(env, *done);
      forget(env, done);
    });
  }
  static void settle(Napi::Env env, Pending& p) {
    Napi::HandleScope scope(env);
    if (p.failure) return p.deferred.Reject(Napi::Error::New(env, *p.failure).Value());
    if (p.ceilings) {
      Napi::Object o = Napi::Object::New(env);
      o.Set("gflops", p.ceilings->gflops);
      o.Set("triadGBs", p.ceilings->triadGBs);
      o.Set("pingPongNs", p.ceilings->pingPongNs);
      return p.deferred.Resolve(o);
    }
    if (p.profile) {
      const std::vector<double>& times = p.profile->times;
      Napi::Float64Array a = Napi::Float64Array::New(env, times.size());
      std::copy(times.begin(), times.end(), a.Data());
      return p.deferred.Resolve(a);
    }
    p.deferred.Resolve(p.keep.IsEmpty() ? env.Undefined() : p.keep.Value());
  }

  static uint32_t id(const Napi::Value& v) { return v.As<Napi::Number>().Uint32Value(); }

  Napi::Value allocate(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      return Napi::Number::New(info.Env(), runtime_->allocate(static_cast<size_t>(info[0].As<Napi::Number>().Int64Value())));
    });
  }
  void write(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      const Napi::TypedArray data = info[1].As<Napi::TypedArray>();
      runtime_->write(id(info[0]), static_cast<char*>(data.ArrayBuffer().Data()) + data.ByteOffset(), data.ByteLength());
    });
  }
  // read(buffer, into): fills the typed array and resolves to it.
  Napi::Value read(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const Napi::TypedArray into = info[1].As<Napi::TypedArray>();
      char* to = static_cast<char*>(into.ArrayBuffer().Data()) + into.ByteOffset();
      Pending* p = await(info.Env(), into);
      const Napi::Value promise = p->deferred.Promise();
      try {
        runtime_->read(id(info[0]), to, into.ByteLength(), [this, p](const Failure& f) { deliver(p, f); });
      } catch (...) {
        forget(info.Env(), p);
        throw;
      }
      return promise;
    });
  }
  void release(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { runtime_->free(id(info[0])); });
  }
  Napi::Value compile(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      const Napi::Float64Array words = info[1].As<Napi::Float64Array>();
      return Napi::Number::New(info.Env(), runtime_->compile(info[0].As<Napi::String>(), words.Data(), words.ElementLength()));
    });
  }
  void dispose(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { runtime_->dispose(id(info[0])); });
  }
  // run(program, buffers: Uint32Array, count)
  void run(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      const Napi::Uint32Array ids = info[1].As<Napi::Uint32Array>();
      const uint32_t count = id(info[2]);
      require(count <= ids.ElementLength(), "a program was given the wrong number of buffers");
      runtime_->run(id(info[0]), ids.Data(), count);
    });
  }
  Napi::Value sync(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Pending* p = await(info.Env());
      const Napi::Value promise = p->deferred.Promise();
      runtime_->queue().notify([this, p](const Failure& f) { deliver(p, f); }, true);
      return promise;
    });
  }
  Napi::Value ceilings(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Pending* p = await(info.Env());
      const Napi::Value promise = p->deferred.Promise();
      runtime_->queue().push([p](Pool& pool) {
        pool.wake();
        p->ceilings = measureCeilings(pool);
      });
      runtime_->queue().notify([this, p](const Failure& f) { deliver(p, f); }, false);
      return promise;
    });
  }
  void startProfile(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { runtime_->startProfile(); });
  }
  // Resolves to a Float64Array: when each kernel began and ended, in seconds.
  Napi::Value stopProfile(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      std::shared_ptr<Profile> profile = runtime_->stopProfile();
      Pending* p = await(info.Env());
      p->profile = std::move(profile);
      const Napi::Value promise = p->deferred.Promise();
      runtime_->queue().notify([this, p](const Failure& f) { deliver(p, f); }, false);
      return promise;
    });
  }
  Napi::Value memory(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      Napi::Object o = Napi::Object::New(info.Env());
      o.Set("buffers", static_cast<double>(runtime_->buffers()));
      o.Set("bytes", static_cast<double>(runtime_->bytes()));
      o.Set("pooled", static_cast<double>(runtime_->pooledBytes()));
      return o;
    });
  }
  void close(const Napi::CallbackInfo&) { shut(); }

  std::unique_ptr<Runtime> runtime_;
  Napi::ThreadSafeFunction back_;
  int pending_ = 0;
  bool closed_ = false;
};

// useInstructionSet(name): for tests and for finding faults; call it before any program is compiled.
Napi::Value useInstructionSet(const Napi::CallbackInfo& info) {
  const std::string name = info[0].As<Napi::String>();
  for (Isa one : {Isa::Portable, Isa::Neon, Isa::Avx2, Isa::Avx512})
    if (name == isaName(one)) return Napi::Boolean::New(info.Env(), useIsa(one));
  return Napi::Boolean::New(info.Env(), false);
}
Napi::Value instructionSet(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), isaName(isa())); }

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Runtime", Addon::define(env));
  exports.Set("instructionSet", Napi::Function::New(env, instructionSet));
  exports.Set("useInstructionSet", Napi::Function::New(env, useInstructionSet));
  return exports;
}

}  // namespace
}  // namespace lethe

static Napi::Object init(Napi::Env env, Napi::Object exports) { return lethe::init(env, exports); }
NODE_API_MODULE(lethe, init)
