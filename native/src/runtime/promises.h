// The promises JavaScript was given and that are not settled yet. Numbers travel to the queue's thread and back; promises,
// values and references stay on JavaScript's thread. While any is pending, the process stays alive.
#pragma once
#include <functional>
#include <map>

#include "runtime/arguments.h"
#include "runtime/queue.h"

namespace lethe {

class Promises {
 public:
  // What a promise resolves to; called on JavaScript's thread.
  using Value = std::function<Napi::Value(Napi::Env)>;
  // What the queue's thread calls, once.
  using Done = std::function<void(const Failure&)>;

  explicit Promises(Napi::Env env);
  Promises(const Promises&) = delete;
  ~Promises() { end(); }

  // A promise that is settled after `enqueue` handed its argument to the queue, and the queue has called it.
  template <class F> Napi::Value add(Napi::Env env, Value value, F&& enqueue) {
    const uint64_t number = open(env, std::move(value));
    const Napi::Value promise = pending_.at(number).deferred.Promise();
    try {
      enqueue(Done([this, number](const Failure& failure) { send(number, failure); }));
    } catch (...) {
      settle(env, number, "the work was not enqueued");
      throw;
    }
    return promise;
  }
  bool empty() const { return pending_.empty(); }
  // Rejects all that are pending.
  void reject(Napi::Env env, const char* why);
  // Nothing is settled from here on. The queue's thread must have ended.
  void end();

 private:
  struct Pending {
    Napi::Promise::Deferred deferred;
    Value value;
  };
  struct Message {
    uint64_t number;
    Failure failure;
  };
  static void receive(Napi::Env env, Napi::Function, Promises* self, Message* message);
  using Way = Napi::TypedThreadSafeFunction<Promises, Message, receive>;

  uint64_t open(Napi::Env env, Value value);
  void send(uint64_t number, const Failure& failure);
  void settle(Napi::Env env, uint64_t number, const Failure& failure);

  Way way_;
  std::map<uint64_t, Pending> pending_;
  uint64_t next_ = 0;
  bool ended_ = false;
};

}  // namespace lethe
