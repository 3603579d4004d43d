// See promises.h. What is on its way when the environment ends arrives without one, and is only deleted.
#include "runtime/promises.h"

#include <memory>

namespace lethe {

Promises::Promises(Napi::Env env) : way_(Way::New(env, "lethe", 0, 1, this)) { way_.Unref(env); }

uint64_t Promises::open(Napi::Env env, Value value) {
  const uint64_t number = next_++;
  pending_.emplace(number, Pending{Napi::Promise::Deferred::New(env), std::move(value)});
  if (pending_.size() == 1) way_.Ref(env);
  return number;
}

void Promises::send(uint64_t number, const Failure& failure) {
  auto message = std::make_unique<Message>(Message{number, failure});
  if (way_.NonBlockingCall(message.get()) == napi_ok) message.release();
}

void Promises::receive(Napi::Env env, Napi::Function, Promises* self, Message* message) {
  const std::unique_ptr<Message> owned(message);
  if (env != nullptr) guarded(env, [&] { self->settle(env, owned->number, owned->failure); });
}

void Promises::settle(Napi::Env env, uint64_t number, const Failure& failure) {
  const auto at = pending_.find(number);
  if (at == pending_.end()) return;
  const Pending pending = std::move(at->second);
  pending_.erase(at);
  if (pending_.empty()) way_.Unref(env);
  const Napi::HandleScope scope(env);
  if (failure) pending.deferred.Reject(Napi::Error::New(env, *failure).Value());
  else pending.deferred.Resolve(pending.value(env));
}

void Promises::reject(Napi::Env env, const char* why) {
  while (!pending_.empty()) settle(env, pending_.begin()->first, why);
}

void Promises::end() {
  if (ended_) return;
  ended_ = true;
  pending_.clear();
  way_.Abort();
}

}  // namespace lethe
