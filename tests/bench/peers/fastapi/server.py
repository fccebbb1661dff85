"""The same service as c1d's core, as one would write it with FastAPI, the openai package and the MongoDB driver: a chat whose
answer is passed on as it comes and kept when it has ended, and threads with their messages."""
import os
import ssl
import uuid
from contextlib import asynccontextmanager
from datetime import datetime, timezone

from fastapi import FastAPI, HTTPException
from fastapi.responses import ORJSONResponse, StreamingResponse
from httpx2 import Limits, Timeout
from openai import AsyncOpenAI, DefaultAsyncHttpx2Client
from pydantic import BaseModel
from pymongo import AsyncMongoClient

THREAD = {"title": 1, "user_id": 1, "created_at": 1, "updated_at": 1, "archived": 1}
MESSAGE = {"thread_id": 1, "role": 1, "content": 1, "status": 1, "created_at": 1, "updated_at": 1}


class Ask(BaseModel):
    message: str
    thread_id: str | None = None


class NewThread(BaseModel):
    title: str


@asynccontextmanager
async def lifespan(app):
    ca_file = os.environ.get("THESYS_CA_FILE")
    verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    limits = Limits(max_connections=None, max_keepalive_connections=None)
    http = DefaultAsyncHttpx2Client(verify=verify, limits=limits, timeout=Timeout(600, connect=10))
    app.openai = AsyncOpenAI(base_url=os.environ["THESYS_BASE_URL"], api_key=os.environ["THESYS_API_KEY"], http_client=http, max_retries=0)
    client = AsyncMongoClient(os.environ["MONGODB_URI"], tz_aware=True)
    app.threads, app.messages = client["c1d"]["threads"], client["c1d"]["messages"]
    yield
    await client.close()


app = FastAPI(lifespan=lifespan, default_response_class=ORJSONResponse)


def out(document, fields):
    return {"id": document["_id"], **{name: document[name] for name in fields}}


def new_message(thread, role, content, now, behind):
    return {"_id": str(uuid.uuid4()), "thread_id": thread, "seq": int(now.timestamp() * 1000) + behind, "role": role, "content": content,
            "status": "complete", "created_at": now, "updated_at": now}


async def save(thread, question, answer):
    now = datetime.now(timezone.utc)
    await app.messages.insert_many([new_message(thread, "user", question, now, 0), new_message(thread, "assistant", answer, now, 1)])
    made = {"user_id": "bench", "title": "A chat", "created_at": now, "archived": False}
    await app.threads.update_one({"_id": thread}, {"$set": {"updated_at": now}, "$setOnInsert": made}, upsert=True)


async def relay(stream, thread, question):
    pieces = []
    async for chunk in stream:
        piece = chunk.choices[0].delta.content if chunk.choices else None
        if piece:
            pieces.append(piece)
            yield piece
    await save(thread, question, "".join(pieces))


@app.get("/api/health")
async def health():
    return {"status": "healthy"}


@app.post("/api/chat")
async def chat(ask: Ask):
    thread = ask.thread_id or str(uuid.uuid4())
    history = await app.messages.find({"thread_id": thread}).sort("seq", -1).limit(50).to_list()
    prompt = [{"role": m["role"], "content": m["content"]} for m in reversed(history)]
    prompt.append({"role": "user", "content": ask.message})
    stream = await app.openai.chat.completions.create(model="c1/bench", stream=True, messages=prompt)
    return StreamingResponse(relay(stream, thread, ask.message), media_type="text/plain; charset=utf-8")


@app.post("/api/threads", status_code=201)
async def create(new: NewThread):
    now = datetime.now(timezone.utc)
    thread = {"_id": str(uuid.uuid4()), "user_id": "bench", "title": new.title, "created_at": now, "updated_at": now, "archived": False}
    await app.threads.insert_one(thread)
    return ORJSONResponse(out(thread, THREAD), status_code=201)


@app.get("/api/threads")
async def list_threads(limit: int = 50, user_id: str = "bench"):
    found = await app.threads.find({"user_id": user_id}, THREAD).sort("updated_at", -1).limit(limit).to_list()
    return ORJSONResponse([out(thread, THREAD) for thread in found])


async def find(thread):
    found = await app.threads.find_one({"_id": thread}, THREAD)
    if not found:
        raise HTTPException(404, "there is no such thread")
    return found


@app.get("/api/threads/{thread}")
async def read(thread: str):
    return ORJSONResponse(out(await find(thread), THREAD))


@app.get("/api/threads/{thread}/messages")
async def list_messages(thread: str, limit: int = 200):
    await find(thread)
    found = await app.messages.find({"thread_id": thread}, MESSAGE).sort("seq", -1).limit(limit).to_list()
    return ORJSONResponse([out(message, MESSAGE) for message in reversed(found)])


@app.delete("/api/threads/{thread}")
async def delete(thread: str):
    if (await app.threads.delete_one({"_id": thread})).deleted_count == 0:
        raise HTTPException(404, "there is no such thread")
    await app.messages.delete_many({"thread_id": thread})
    return {"deleted": True, "id": thread}
